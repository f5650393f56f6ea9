"""One run of publishing: from staged contents to a committed generation of refs.

Folders that were renamed into place but are not yet in refs are tracked here, and withdrawn if the
commit fails. publish.py and docs/store-format.md give the order of the steps and why it is safe.
"""

from __future__ import annotations

import contextlib
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from inference.loading.loader import RUNTIME
from model_store.documents import now
from model_store.errors import StoreError
from model_store.layout import MANIFEST
from model_store.names import new_id
from model_store.reading import read_preparation, read_version
from model_store.refs import Change, Refs, State, VersionEntry
from model_store.variant import PLAIN
from model_store.version import VersionManifest
from model_sync.errors import PackagesError
from model_sync.graphs.inspection import inspect
from model_sync.identity import publisher
from model_sync.package_sets.unused_marks import is_in_place, rely_on
from model_sync.preparation.build import prepare
from model_sync.publishing.contents import stage_contents
from model_sync.publishing.placed_folders import PlacedFolders
from model_sync.publishing.resume import copy_files
from model_sync.publishing.signature_change import check_signature_change
from model_sync.refs import publish_changes
from model_sync.refs.commit import Losses, ensure_model, settle_committed, try_commit
from model_sync.refs.model_removal import newest_to_build_on
from model_sync.store_io import durable
from model_sync.text import pluralize
from model_sync.time_limit import NO_LIMIT

if TYPE_CHECKING:
    from pathlib import Path

    from model_store.digests import Digest
    from model_store.files import FileEntry
    from model_store.layout import StoreLayout
    from model_store.version import VersionContent
    from model_sync.progress import Progress
    from model_sync.refs.publish_changes import PublishPlan
    from model_sync.sources.recipe import Recipe
    from model_sync.sources.source import Source
    from model_sync.sources.uploaded import UploadedContents
    from model_sync.store_io.staging import Staging
    from model_sync.time_limit import TimeLimit

_VERSION: Final = "version"


@dataclass(frozen=True, slots=True)
class PublishResult:
    """The result of a publication. `created`: True for a new version, False for an existing one."""

    model: str
    version: int
    digest: str
    created: bool
    changed: bool
    labels: tuple[str, ...]
    generation: int
    variant: str
    unsettled: str | None = None
    """A line for a committed publication that could not be settled (refs/commit.py), else None."""

    def to_json(self) -> dict[str, Any]:
        """Return the object that `--json` prints; `unsettled` only if it is not None."""
        found = asdict(self)
        if self.unsettled is None:
            del found["unsettled"]
        return found


class Publication:
    """One run of publishing: its staged contents, and its folders that refs do not name yet."""

    def __init__(
        self,
        layout: StoreLayout,
        name: str,
        staging: Staging,
        progress: Progress,
        *,
        who: str | None = None,
        time_limit: TimeLimit = NO_LIMIT,
    ) -> None:
        self._layout = layout
        self._who = who or publisher()
        self._name = name
        self._model = layout.model(name)
        self._staging = staging
        self._progress = progress
        self._time_limit = time_limit
        self._placed = PlacedFolders(self._model, staging)
        self._preparations: dict[str, str] = {}
        self._reported: set[str] = set()
        self._unsettled: str | None = None

    def stage(self, recipe: Recipe, source: Source, packages: Digest | None = None) -> None:
        """Copy the contents into staging, inspect them and write their manifest.

        `packages` is the published package set of the recipe's requirements.
        """
        folder = self._staging.path(_VERSION)
        folder.mkdir()
        content = stage_contents(recipe, source, folder, self._progress, packages)
        self._describe(folder, content)

    def stage_uploaded(self, uploaded: UploadedContents, copied: set[FileEntry]) -> None:
        """Copy uploaded contents into staging, check each file's digest, and inspect them.

        The files in `copied` are in staging already. Raises PackagesError if the contents name a
        package set that is not in the store; ToBeContinued if the time does not suffice.
        """
        self._require_packages(uploaded)
        folder = self._staging.path(_VERSION)
        folder.mkdir(exist_ok=True)  # an earlier invocation may have created it
        copy_files(uploaded, copied, folder, self._staging, self._progress, self._time_limit)
        self._describe(folder, uploaded.content)

    def _require_packages(self, uploaded: UploadedContents) -> None:
        if uploaded.content.packages is None:
            return
        if rely_on(self._layout, uploaded.content.packages) is None:
            raise PackagesError(
                f"{uploaded.name} cannot be published: the store holds no package set "
                f"{uploaded.content.packages} (publish that first)"
            )

    def result_if_unchanged(self, digest: Digest, label: str) -> PublishResult | None:
        """Settle, and return the result if publishing contents with this digest changes nothing.

        Otherwise return None. A publication that changes nothing ends here.
        """
        refs = newest_to_build_on(self._layout, self._name, self._staging)
        plan = publish_changes.plan_publish(refs, digest=digest, runtime=RUNTIME, label=label)
        return self._result(refs, digest, plan) if refs and plan.is_noop else None

    def served_content(self, refs: Refs | None, label: str) -> VersionContent | None:
        """Return the contents of the version that `label` names, for a comparison with the source.

        Return None if there is no such version, or publishing it again would change something.
        """
        entry = refs.versions[refs.labels[label]] if refs and label in refs.labels else None
        if entry is None or RUNTIME not in entry.preparations:
            return None
        with contextlib.suppress(StoreError):
            return read_version(self._layout, self._name, entry).content
        return None

    def _describe(self, folder: Path, content: VersionContent) -> None:
        self._progress.step("inspecting the model")
        self._manifest = describe_version(folder, self._name, content)

    def commit(
        self, label: str, reason: str, *, allow_signature_change: bool = False
    ) -> PublishResult:
        """Make `label` name a version with the staged contents; do nothing if it does already.

        Unless `allow_signature_change`, raises SignatureError if that would break callers of the
        version that the label names. The signature is compared before the version is tried, and
        again after another writer has moved the label.
        """
        digest = self._manifest.content.digest
        try:
            refs = newest_to_build_on(self._layout, self._name, self._staging)
            losses = Losses()
            while True:
                plan = publish_changes.plan_publish(
                    refs, digest=digest, runtime=RUNTIME, label=label
                )
                if refs and plan.is_noop:
                    break  # already settled above
                if refs and plan.move_label:
                    self._check_signature(refs, label, allowed=allow_signature_change)
                next_refs = self._next_generation(refs, plan, label, reason)
                if self._try_commit(next_refs):
                    refs = next_refs
                    self._unsettled = settle_committed(self._model, self._staging, refs)
                    break
                previous = refs
                refs = newest_to_build_on(self._layout, self._name, self._staging)
                losses.count(previous, refs)
        finally:
            self._placed.withdraw_unnamed()
        return self._result(refs, digest, plan)

    def _check_signature(self, refs: Refs, label: str, *, allowed: bool) -> None:
        new = self._manifest.signature
        for line in check_signature_change(self._layout, refs, label, new, allowed=allowed):
            if line not in self._reported:  # as after a lost race
                self._reported.add(line)
                self._progress.step(line)

    def _result(self, refs: Refs, digest: Digest, plan: PublishPlan) -> PublishResult:
        number = publish_changes.find_available(refs, digest)
        if number is None:
            raise AssertionError("the generation just committed does not hold its version")
        preparation = None
        with contextlib.suppress(StoreError):  # published, even if this read fails
            preparation = read_preparation(self._layout, self._name, refs.versions[number], RUNTIME)
        return PublishResult(
            model=self._name,
            version=number,
            digest=str(digest),
            created=plan.existing is None,
            changed=not plan.is_noop,
            labels=tuple(sorted(name for name, n in refs.labels.items() if n == number)),
            generation=refs.generation,
            variant=preparation.chosen if preparation else PLAIN,
            unsettled=self._unsettled,
        )

    def _try_commit(self, next_refs: Refs) -> bool:
        self._placed.check()
        packages = self._manifest.content.packages
        if packages and rely_on(self._layout, packages) is None:
            raise PackagesError(f"package set {packages} was swept: publish again")
        try:
            committed = try_commit(self._model, self._staging, next_refs)
        except OSError:
            self._placed.leave()
            raise
        if committed and packages and not is_in_place(self._layout, packages):
            raise PackagesError(
                f"{self._name!r} was published, but its package set {packages} was swept at the "
                "same moment: publish again to restore it"
            )
        return committed

    def _next_generation(
        self, refs: Refs | None, plan: PublishPlan, label: str, reason: str
    ) -> Refs:
        """Return the generation to commit, after placing all folders that it names."""
        change = Change(who=self._who, when=now(), verb="publish", reason=reason)
        writer = new_id()
        if plan.existing is not None and refs:
            entry = refs.versions[plan.existing]
            preparations = {RUNTIME: self._prepare(entry)} if plan.prepare else {}
            return publish_changes.with_existing(
                refs,
                plan.existing,
                preparations=preparations,
                label=label,
                writer=writer,
                change=change,
            )
        entry = VersionEntry(
            id=self._manifest.id,
            state=State.AVAILABLE,
            digest=self._manifest.content.digest,
            size_bytes=self._manifest.content.size_bytes,
            published_at=now(),
            preparations={},
        )
        entry = entry._replace(preparations={RUNTIME: self._prepare(entry)})
        self._placed.place(_VERSION, self._model.version(entry.id))
        if refs is None:
            model_id = ensure_model(self._model, self._staging)
            refs = publish_changes.first_refs(self._name, model_id, writer=writer, change=change)
        return publish_changes.with_version(refs, entry, label=label, writer=writer, change=change)

    def _prepare(self, entry: VersionEntry) -> str:
        """Prepare a version for this runtime, place the preparation, and return its id."""
        if entry.id in self._preparations:
            return self._preparations[entry.id]
        staged = entry.id == self._manifest.id
        manifest = self._manifest
        folder = self._model.version(entry.id)
        if not staged:
            manifest = read_version(self._layout, self._name, entry)
        elif entry.id not in self._placed:
            folder = self._staging.path(_VERSION)
        cases = pluralize(len(manifest.content.golden.cases), "golden case")
        self._progress.step(f"trying it: loading, and {cases}")
        preparation = prepare(
            folder,
            manifest,
            RUNTIME,
            layout=self._layout,
            staging=self._staging,
            progress=self._progress,
            time_limit=self._time_limit,
        )
        self._placed.place(preparation.id, self._model.preparation(preparation.id))
        self._preparations[entry.id] = preparation.id
        return preparation.id


def describe_version(folder: Path, name: str, content: VersionContent) -> VersionManifest:
    """Inspect a staged version's graph and write its manifest; raises InspectionError."""
    signature = inspect(folder / content.model_file, content.model_file.split("/", 1)[1])
    manifest = VersionManifest(name, new_id(), now(), signature, content)
    durable.write_file(folder / MANIFEST, manifest.render())
    return manifest
