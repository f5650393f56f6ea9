"""Publish to a stage: check here, upload missing files, and call the sync function.

1. Read the recipe; run the build script if an output is missing.
2. If the recipe names packages, download their wheels for the functions' Python, except those that
   the functions bring, and publish that set first.
3. Copy the contents to a temporary folder and hash them; inspect the graph; try the version.
4. Upload, by digest, the files that the models bucket lacks.
5. Call the sync function to publish the version, again while it answers "continue", and show its
   progress.

Only this machine needs to reach a package registry: the functions do not.
"""

from __future__ import annotations

import tempfile
import uuid
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from model_store.digests import Digest
from model_store.layout import StoreLayout
from model_store.names import check_label
from model_store.package_set import Target
from model_sync.admin.operations import ONLY_HERE
from model_sync.errors import PackagesError, RefusedError, SourceError, StageError
from model_sync.identity import publisher
from model_sync.package_sets.download import get_wheels
from model_sync.package_sets.publish import describe_set, hash_wheels
from model_sync.package_sets.runtime_packages import Runtime
from model_sync.preparation.trial import try_version
from model_sync.publishing.contents import stage_contents
from model_sync.publishing.publication import describe_version
from model_sync.publishing.publish import build_outputs, read_folder, requirements_file
from model_sync.sources.s3 import parse_s3_url, s3_client
from model_sync.stage.call_progress import call_with_progress
from model_sync.stage.uploads import upload_contents, upload_set
from model_sync.store_client import not_for_stages

if TYPE_CHECKING:
    from collections.abc import Mapping

    from model_sync.progress import Progress
    from model_sync.stage.stack import StageStack
    from model_sync.store_client import PackageSetOptions, PublishOptions

_MAX_CALLS: Final = 100
"""More than a day of invocations: a request that takes longer makes no progress."""


class StageStore:
    """The store of a stage. Each method returns the sync function's answer."""

    def __init__(self, stage: StageStack, progress: Progress) -> None:
        self._stage = stage
        self._progress = progress
        self._client = s3_client()

    def publish_folder(self, folder: Path, options: PublishOptions) -> dict[str, Any]:
        """Publish a model's folder; raises SyncError."""
        source, recipe = read_folder(folder, name=options.name)
        check_label(options.label)
        build_outputs(recipe, folder, self._progress)
        bucket = self._stage.output("ModelsBucket")
        packages = None
        if recipe.packages:
            requirements = requirements_file(recipe.packages, source)
            runtime = self.runtime()
            published = self._send_set(
                requirements, runtime, runtime.target, pruned=recipe.packages.prune
            )
            packages = Digest.parse(published["digest"])
        with tempfile.TemporaryDirectory(prefix="coldpress-publish-") as temporary:
            staged = Path(temporary, "version")
            staged.mkdir()
            content = stage_contents(recipe, source, staged, self._progress, packages)
            self._progress.step("inspecting the model")
            describe_version(staged, recipe.name, content)
            if not packages:  # they may be for another Python than this one
                self._progress.step("trying the model here")
                result = Path(temporary, "trial.json")
                try_version(staged, result, layout=StoreLayout(Path(temporary)))
            key = upload_contents(self._client, bucket, content, staged, self._progress)
        return self._publish(key, options._replace(name=recipe.name))

    def publish_url(self, url: str, options: PublishOptions) -> dict[str, Any]:
        """Publish a prefix of the models bucket; raises SyncError."""
        bucket, _ = parse_s3_url(url)
        models_bucket = self._stage.output("ModelsBucket")
        if bucket != models_bucket:
            raise SourceError(
                f"{url}: the functions of stage {self._stage.name!r} read s3://{models_bucket}/ "
                "only: copy the model there, or publish it from a folder"
            )
        return self._publish(url, options)

    def publish_packages(self, requirements: Path, options: PackageSetOptions) -> dict[str, Any]:
        """Publish the set that a requirements file pins, by default for the functions."""
        runtime = self.runtime()
        target = runtime.target.override(python=options.python, platform=options.platform)
        self._check_python(options, runtime)
        return self._send_set(requirements, runtime, target, pruned=options.pruned)

    def constraints(self, *, python: str | None, platform: str | None) -> dict[str, Any]:
        """Return the packages that the target's runtime brings; raises SyncError.

        The default target is the functions' runtime.
        """
        return self.runtime().describe(python=python, platform=platform)

    def list_models(self) -> dict[str, Any]:
        """Return the published models, as `list --json` prints them."""
        return self._request({"verb": "list"})

    def list_packages(self) -> dict[str, Any]:
        """Return the package sets."""
        return self._request({"verb": "list-packages"})

    def runtime(self) -> Runtime:
        """Return the functions' target and the packages that they bring, by the probe's answer."""
        answer = self._stage.call("SyncFunction", {"coldpress": "probe"})
        match answer:
            case {
                "target": {"python": str(python), "platform": str(platform)},
                "brings": {**brings},
            }:
                return Runtime(
                    Target(python, platform), {str(k): str(v) for k, v in brings.items()}
                )
        raise self._unknown_answer("the probe without its runtime")

    def run(self, operation: str, fields: dict[str, Any]) -> dict[str, Any]:
        """Run an operation of admin/operations.py in the sync function."""
        if operation in ONLY_HERE:
            raise not_for_stages(operation)
        return self._request({"verb": operation, "who": publisher(), **fields})

    def _publish(self, source: str, options: PublishOptions) -> dict[str, Any]:
        return self._request(
            {
                "verb": "publish",
                "source": source,
                "model": options.name,
                "label": options.label,
                "reason": options.reason,
                "allow_signature_change": options.allow_signature_change,
                "who": publisher(),
            }
        )

    def _check_python(self, options: PackageSetOptions, runtime: Runtime) -> None:
        compiles = (
            f"the sync function of stage {self._stage.name!r} compiles packages with its own Python"
        )
        if options.interpreter is not None:
            raise PackagesError(f"{compiles}: leave --interpreter out")
        python = runtime.target.python
        if options.python not in {None, python}:
            raise PackagesError(
                f"{compiles}, which is {python}, and Python {options.python} was asked for "
                "(--python, or TARGET_PYTHON)"
            )

    def _send_set(
        self, requirements: Path, runtime: Runtime, target: Target, *, pruned: bool
    ) -> dict[str, Any]:
        bucket = self._stage.output("ModelsBucket")
        with tempfile.TemporaryDirectory(prefix="coldpress-wheels-") as temporary:
            wheels = get_wheels(
                requirements, target, runtime.packages_for(target), Path(temporary), self._progress
            )
            manifest = describe_set(hash_wheels(wheels), target, pruned=pruned)
            key = upload_set(self._client, bucket, manifest, wheels, self._progress)
        return self._request({"verb": "publish-packages", "source": key})

    def _request(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Call the sync function until it is done; raises RefusedError if it answers an error."""
        bucket = self._stage.output("ModelsBucket")
        resume: str | None = None
        request_id = uuid.uuid4().hex
        for _ in range(_MAX_CALLS):
            fields = {**request, "request_id": request_id, "resume": resume}
            answer: dict[str, Any] = call_with_progress(
                partial(self._stage.call, "SyncFunction", fields),
                self._client,
                bucket,
                request_id,
                self._progress,
            )
            match answer:
                case {"state": "done", **result}:
                    return result
                case {"state": "continue", "resume": str(resume)}:
                    pass
                case {"state": "failed", "error": {"code": str(code), "message": str(message)}}:
                    raise RefusedError(code, message)
                case _:
                    raise self._unknown_answer(f"state {answer.get('state')!r}")
        raise StageError(f"the sync function was not done after {_MAX_CALLS} calls")

    def _unknown_answer(self, what: str) -> StageError:
        return StageError(
            f"the sync function of stage {self._stage.name!r} answered {what}: "
            "it is of another release than this command"
        )
