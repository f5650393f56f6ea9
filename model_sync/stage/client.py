"""Publishes to a stage: checks here, uploads what is missing, and asks the sync function.

1. Read the recipe; run the build script if an output is missing.
2. If it names packages, get their wheels for the functions' Python, less what the functions bring
   themselves, and publish that set first.
3. Copy the contents to a temporary folder, hashing on the way; inspect the graph; try it.
4. Upload by digest what the models bucket lacks.
5. Ask the sync function to publish it; ask again while it says "continue"; tell how far it is.

What the functions cannot reach, a package registry above all, is needed on this side only.
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

_MOST_CALLS: Final = 100
"""More than a day of invocations: what goes on longer goes round in circles."""


class StageStore:
    """A stage, to be published to. Each method returns what the sync function answered."""

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
            sent = self._send_set(
                requirements, runtime, runtime.target, pruned=recipe.packages.prune
            )
            packages = Digest.parse(sent["digest"])
        with tempfile.TemporaryDirectory(prefix="coldpress-publish-") as temporary:
            staged = Path(temporary, "version")
            staged.mkdir()
            content = stage_contents(recipe, source, staged, self._progress, packages)
            self._progress.step("inspecting the model")
            describe_version(staged, recipe.name, content)
            if not packages:  # whose packages may be for another Python than this one
                self._progress.step("trying it here")
                result = Path(temporary, "trial.json")
                try_version(staged, result, layout=StoreLayout(Path(temporary)))
            key = upload_contents(self._client, bucket, content, staged, self._progress)
        return self._publish(key, options._replace(name=recipe.name))

    def publish_url(self, url: str, options: PublishOptions) -> dict[str, Any]:
        """Publish a prefix of the models bucket; raises SyncError."""
        bucket, _ = parse_s3_url(url)
        reached = self._stage.output("ModelsBucket")
        if bucket != reached:
            raise SourceError(
                f"{url}: the functions of stage {self._stage.name!r} reach s3://{reached}/ alone: "
                "copy it there, or publish it from a folder"
            )
        return self._publish(url, options)

    def publish_packages(self, requirements: Path, options: PackageSetOptions) -> dict[str, Any]:
        """Publish the set that a requirements file pins, for the functions' Python unless said."""
        runtime = self.runtime()
        target = runtime.target.override(python=options.python, platform=options.platform)
        self._refuse_another_python(options, runtime)
        return self._send_set(requirements, runtime, target, pruned=options.pruned)

    def constraints(self, *, python: str | None, platform: str | None) -> dict[str, Any]:
        """What the functions bring themselves, unless another target is said; raises SyncError."""
        return self.runtime().describe(python=python, platform=platform)

    def list_models(self) -> dict[str, Any]:
        """What is published, as `list --json` prints it."""
        return self._ask({"verb": "list"})

    def list_packages(self) -> dict[str, Any]:
        """The sets in the store."""
        return self._ask({"verb": "list-packages"})

    def runtime(self) -> Runtime:
        """What the functions run on, and bring, as the sync function itself says."""
        answer = self._stage.call("SyncFunction", {"coldpress": "probe"})
        match answer:
            case {
                "target": {"python": str(python), "platform": str(platform)},
                "brings": {**brings},
            }:
                return Runtime(
                    Target(python, platform), {str(k): str(v) for k, v in brings.items()}
                )
        raise self._stranger("the probe without its runtime")

    def run(self, operation: str, fields: dict[str, Any]) -> dict[str, Any]:
        """Run one of the verbs of admin/operations.py in the sync function."""
        if operation in ONLY_HERE:
            raise not_for_stages(operation)
        return self._ask({"verb": operation, "who": publisher(), **fields})

    def _publish(self, source: str, options: PublishOptions) -> dict[str, Any]:
        return self._ask(
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

    def _refuse_another_python(self, options: PackageSetOptions, runtime: Runtime) -> None:
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
            described = describe_set(hash_wheels(wheels), target, pruned=pruned)
            key = upload_set(self._client, bucket, described, wheels, self._progress)
        return self._ask({"verb": "publish-packages", "source": key})

    def _ask(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Ask the sync function until it is done; raises RefusedError with what it says if not."""
        bucket = self._stage.output("ModelsBucket")
        resume: str | None = None
        request_id = uuid.uuid4().hex
        for _ in range(_MOST_CALLS):
            asked = {**request, "request_id": request_id, "resume": resume}
            answer: dict[str, Any] = call_with_progress(
                partial(self._stage.call, "SyncFunction", asked),
                self._client,
                bucket,
                request_id,
                self._progress,
            )
            match answer:
                case {"state": "done", **found}:
                    return found
                case {"state": "continue", "resume": str(resume)}:
                    pass
                case {"state": "failed", "error": {"code": str(code), "message": str(message)}}:
                    raise RefusedError(code, message)
                case _:
                    raise self._stranger(f"state {answer.get('state')!r}")
        raise StageError(f"the sync function did not come to an end in {_MOST_CALLS} calls")

    def _stranger(self, what: str) -> StageError:
        return StageError(
            f"the sync function of stage {self._stage.name!r} answered {what}: "
            "it is of another release than this command"
        )
