"""The verb prepare: makes preparations of published versions, for the runtime that is here.

Functions that move to another ONNX Runtime find what was prepared for it, if it was prepared
before; refs name a preparation for each runtime, and a reader takes its own. What one is, and how
it is made: preparation/build.py.

1. Settle. Decide which versions: the one that was named, else every one in service that a label or
   a running hold names, the newest first. (A share of the split is a label's.)
2. For each without a preparation for this runtime, or for all, if they are to be made anew: prepare
   it in staging, put that in place, and commit one generation that names it. A version that was
   retired meanwhile is refused; where another writer has named one meanwhile, that one stays.

A preparation that is replaced stays where it is as long as its version: readers may have mapped it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from model_store.documents import now
from model_store.errors import NotFoundError
from model_store.reading import read_preparation, read_version
from model_store.refs import Refs, State
from model_sync.admin.show import described_preparation, named_version
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


def prepare(store: MountedStore, asked: RequestFields) -> dict[str, Any]:
    """Prepare versions for the runtime that is here; `runtime`, if it is said, must be its key.

    Raises ToBeContinued before a version that the time which is left may not suffice for; `resume`
    says which were done. What was committed before an error stays.
    """
    # Imported here: most verbs do without ONNX Runtime, which takes half a second.
    from inference.loading.loader import RUNTIME  # noqa: PLC0415

    reference, runtime = asked.reference(), asked.optional_text("runtime")
    again, reason = asked.flag("again"), asked.optional_text("reason") or ""
    made = _done_before(asked.optional_text("resume"))
    asked.done()
    _check_runtime(runtime, RUNTIME)
    verb = _Prepare(store, reference.model, RUNTIME, reason)
    numbers = _to_prepare(verb.newest, reference)
    started = False
    for number in numbers:
        entry = changes.entry_to_prepare(verb.newest, number)
        if number in made or (RUNTIME in entry.preparations and not again):
            continue
        if started and not store.time_limit.leaves_ms(preparation_ms(entry.size_bytes)):
            raise ToBeContinued(_done(made))
        started = True
        if verb.prepare(number):
            made.add(number)
    return verb.found(numbers, made)


class _Prepare:
    """The verb under way on one model: its newest refs, and what is left to settle."""

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
        """Prepare one version; False where another writer was first."""
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
                made = make_preparation(
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
                following = changes.add_preparation(
                    refs,
                    number,
                    self._runtime,
                    version_id=entry.id,
                    preparation_id=made.id,
                    instead_of=before,
                )
                if following is not refs:
                    placed.check()
                return following

            placed.place(made.id, self._model.preparation(made.id))
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

    def found(self, numbers: tuple[int, ...], made: set[int]) -> dict[str, Any]:
        """What it came to, as `--json` prints it."""
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
            tried = described_preparation(preparation)
            prepared.append(
                {
                    "version": number,
                    "digest": str(entry.digest),
                    "runtime": self._runtime,
                    "variant": tried.pop("chosen"),
                    "created": number in made,
                    **tried,
                }
            )
        found = {
            "model": self.newest.model,
            "generation": self.newest.generation,
            "changed": bool(made),
            "prepared": prepared,
        }
        return found if self._unsettled is None else {**found, "unsettled": self._unsettled}

    def _require_packages(self, number: int, manifest: VersionManifest) -> None:
        packages = manifest.content.packages
        if packages and rely_on(self._store.layout, packages) is None:
            raise PackagesError(
                f"version {number} of {manifest.model!r} cannot be prepared: the store holds no "
                f"package set {packages}; publish its requirements (packages publish)"
            )


def _to_prepare(refs: Refs, reference: Reference) -> tuple[int, ...]:
    """The numbers of the versions to prepare, the newest first; raises ChangeError."""
    if reference.version is not None or reference.label is not None:
        return (named_version(refs, reference),)
    at = now()
    named = {
        *refs.labels.values(),
        *(hold.version for hold in refs.holds.values() if hold.until > at),
    }
    served = {number for number in named if refs.versions[number].state is State.AVAILABLE}
    if not served:
        raise ChangeError(
            f"no label and no hold names a version of {refs.model!r} in service: name a version, "
            f"like {refs.model}@{max(refs.versions, default=1)}"
        )
    return tuple(sorted(served, reverse=True))


def _check_runtime(asked: str | None, here: str) -> None:
    """Refuse a runtime that is not here: a preparation is measured by running it."""
    if asked is None or asked == here:
        return
    raise ChangeError(
        f"this is {here}: what is prepared for {asked[:60]} is measured there (here, in a virtual "
        "environment with that ONNX Runtime; of a stage, once functions with it are deployed)"
    )


def _done_before(resume: str | None) -> set[int]:
    return {parse_version(number) for number in resume.split(",")} if resume else set()


def _done(made: set[int]) -> str:
    """What says which versions were prepared, to whoever resumes: `7,5`."""
    return ",".join(map(str, sorted(made, reverse=True)))
