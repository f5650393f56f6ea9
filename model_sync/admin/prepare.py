"""The operation prepare: prepare published versions for this runtime.

Refs name one preparation for each runtime, and a reader uses the one for its own. So functions that
move to another ONNX Runtime find preparations for it if this operation has run there before.
preparation/build.py defines and makes preparations.

1. Settle. Choose the versions: the one that is named, else every version in service that a label or
   a running hold names, the newest first. (Shares of the split belong to labels.)
2. Take each version that has no preparation for this runtime, or with `again` each version. Prepare
   it in staging, put the preparation in place, and commit one generation that names it. A version
   that another writer has retired by then is refused. If another writer has named a preparation by
   then, that one stays.

A replaced preparation stays in place as long as its version, because readers may have mapped it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from model_store.documents import now
from model_store.errors import NotFoundError
from model_store.reading import read_preparation, read_version
from model_store.refs import Refs, State
from model_sync.admin.show import describe_preparation, named_version
from model_sync.errors import ChangeError, OutOfTimeError, PackagesError, TrialError
from model_sync.package_sets.unused_marks import rely_on
from model_sync.preparation.build import prepare as make_preparation
from model_sync.publishing.placed_folders import PlacedFolders
from model_sync.publishing.resume import ToBeContinued, preparation_ms
from model_sync.refs import changes
from model_sync.refs.commit import settle
from model_sync.request_fields import parse_version
from model_sync.store_io.staging import Staging
from model_sync.text import pluralize

if TYPE_CHECKING:
    from model_store.version import VersionManifest
    from model_sync.mounted_store import MountedStore
    from model_sync.request_fields import Reference, RequestFields


def prepare(store: MountedStore, request: RequestFields) -> dict[str, Any]:
    """Prepare versions for this runtime. `runtime`, if given, must be its key.

    Raises ToBeContinued before a version if the time left may be too short for it; its `resume`
    lists the versions that are done. Generations that were committed before an error stay.
    """
    # Imported here: ONNX Runtime takes half a second, and most operations do not need it.
    from inference.loading.loader import RUNTIME  # noqa: PLC0415

    reference, runtime = request.reference(), request.optional_text("runtime")
    again, reason = request.flag("again"), request.optional_text("reason") or ""
    done = _parse_resume(request.optional_text("resume"))
    request.done()
    _check_runtime(runtime, RUNTIME)
    run = _Run(store, reference.model, RUNTIME, reason)
    numbers = _to_prepare(run.newest, reference)
    started = False
    for number in numbers:
        entry = changes.entry_to_prepare(run.newest, number)
        if number in done or (RUNTIME in entry.preparations and not again):
            continue
        if started and not store.time_limit.leaves_ms(preparation_ms(entry.size_bytes)):
            raise ToBeContinued(_render_resume(done))
        started = True
        if run.prepare(number):
            done.add(number)
    return run.result(numbers, done)


class _Run:
    """Run on one model, with its newest refs."""

    def __init__(self, store: MountedStore, name: str, runtime: str, reason: str) -> None:
        self._store = store
        self._model = store.layout.model(name)
        self._runtime = runtime
        self._reason = reason
        self._unsettled: str | None = None
        with Staging(store.layout) as staging:
            refs = settle(self._model, staging)
        if refs is None or refs.is_removed:
            raise NotFoundError(f"no model is named {name!r} in the store at {store.layout.root}")
        self.newest: Refs = refs

    def prepare(self, number: int) -> bool:
        """Prepare one version; return False if another writer was first."""
        name, layout = self.newest.model, self._store.layout
        entry = self.newest.versions[number]
        before = entry.preparations.get(self._runtime)
        manifest = read_version(layout, name, entry)
        self._require_packages(number, manifest)
        cases = pluralize(len(manifest.content.golden.cases), "golden case")
        self._store.progress.step(f"preparing version {number}: loading, and {cases}")
        with Staging(layout) as staging:
            placed = PlacedFolders(self._model, staging)
            try:
                preparation = make_preparation(
                    self._model.version(entry.id),
                    manifest,
                    self._runtime,
                    layout=layout,
                    staging=staging,
                    progress=self._store.progress,
                    time_limit=self._store.time_limit,
                )
            except (TrialError, OutOfTimeError) as error:
                raise type(error)(f"version {number} of {name!r}: {error}") from error

            def decide(refs: Refs) -> Refs:
                changed = changes.add_preparation(
                    refs,
                    number,
                    self._runtime,
                    version_id=entry.id,
                    preparation_id=preparation.id,
                    instead_of=before,
                )
                if changed is not refs:
                    placed.check()
                return changed

            placed.place(preparation.id, self._model.preparation(preparation.id))
            try:
                outcome = self._store.change(name, decide, verb="prepare", reason=self._reason)
            except OSError:
                placed.leave()
                raise
            finally:
                placed.withdraw_unnamed()
        self.newest = outcome.after
        self._unsettled = outcome.unsettled or self._unsettled
        return outcome.changed

    def result(self, numbers: tuple[int, ...], created: set[int]) -> dict[str, Any]:
        """Return the result of the run, as `--json` prints it."""
        prepared = []
        for number in numbers:
            entry = self.newest.versions[number]
            preparation = read_preparation(
                self._store.layout, self.newest.model, entry, self._runtime
            )
            if preparation is None:
                raise ChangeError(
                    f"version {number} of {self.newest.model!r} was changed while it was being "
                    "prepared: prepare it again"
                )
            tried = describe_preparation(preparation)
            prepared.append(
                {
                    "version": number,
                    "digest": str(entry.digest),
                    "runtime": self._runtime,
                    "variant": tried.pop("chosen"),
                    "created": number in created,
                    **tried,
                }
            )
        fields = {
            "model": self.newest.model,
            "generation": self.newest.generation,
            "changed": bool(created),
            "prepared": prepared,
        }
        return fields if self._unsettled is None else {**fields, "unsettled": self._unsettled}

    def _require_packages(self, number: int, manifest: VersionManifest) -> None:
        packages = manifest.content.packages
        if packages and rely_on(self._store.layout, packages) is None:
            raise PackagesError(
                f"version {number} of {manifest.model!r} cannot be prepared: the store holds no "
                f"package set {packages}; publish its requirements (packages publish)"
            )


def _to_prepare(refs: Refs, reference: Reference) -> tuple[int, ...]:
    """Return the numbers of the versions to prepare, the newest first; raises ChangeError."""
    if reference.version is not None or reference.label is not None:
        return (named_version(refs, reference),)
    at = now()
    named = {
        *refs.labels.values(),
        *(hold.version for hold in refs.holds.values() if hold.until > at),
    }
    in_service = {number for number in named if refs.versions[number].state is State.AVAILABLE}
    if not in_service:
        raise ChangeError(
            f"no label and no hold names a version of {refs.model!r} in service: name a version, "
            f"like {refs.model}@{max(refs.versions, default=1)}"
        )
    return tuple(sorted(in_service, reverse=True))


def _check_runtime(wanted: str | None, here: str) -> None:
    """Refuse another runtime than this one: a preparation is measured by running it."""
    if wanted is None or wanted == here:
        return
    raise ChangeError(
        f"this is {here}, and a preparation for {wanted[:60]} is measured on that runtime: prepare "
        "in a virtual environment with that ONNX Runtime (for a stage, deploy functions with it "
        "first)"
    )


def _parse_resume(resume: str | None) -> set[int]:
    return {parse_version(number) for number in resume.split(",")} if resume else set()


def _render_resume(done: set[int]) -> str:
    """Return the numbers of the prepared versions, for the call that resumes: `7,5`."""
    return ",".join(map(str, sorted(done, reverse=True)))
