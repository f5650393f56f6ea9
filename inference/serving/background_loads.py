"""Load versions off the request's path.

One load is one piece of background work: reserve memory (memory_budget.py), load, run golden
cases, then make the version warm, or put its contents in quarantine. An environment may be frozen
for hours between two steps, so each step that touches the version's files first asks whether it
still may.

- A version that is loaded beside another runs its golden cases before it answers anything: they
  keep a bad version out, and the first call after the swap is not the slow one.
- A version that a call waits for answers that call first, and runs its golden cases right after
  (late_checks.py): a cold start does not repeat what publishing has proven. Contents that have
  failed here before are the exception: they run their cases first.
- A version that was prepared with a replacement for its variant changes to it once calls have come
  (variant_replacement.py).
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from inference.errors import (
    GoldenCaseError,
    LoadError,
    NoMemoryError,
    NotReadyError,
    RetiredError,
    ServingError,
    UnknownError,
)
from inference.process.clock import Moment
from inference.process.memory import give_back
from inference.serving.mapped_files import FileLease, may_load
from inference.serving.quarantine import Fault
from inference.serving.refs_watch import is_stale_handle, is_unreadable
from inference.serving.warm_models import WarmModel, WarmVersion
from inference.telemetry import report_fallback, report_load, report_plain_imports
from model_store.errors import StoreError, StoreUnreachableError
from model_store.refs import State

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

    from inference.loading.loaded_version import LoadedVersion
    from inference.loading.memory_need import Need
    from inference.process.background import Background
    from inference.serving.late_checks import LateChecks
    from inference.serving.memory_budget import MemoryBudget
    from inference.serving.memory_ledger import Account
    from inference.serving.pinned_sets import PinnedSets
    from inference.serving.refs_watch import RefsWatch
    from inference.serving.stats import Stats
    from inference.serving.view import ModelView
    from inference.serving.warm_models import WarmModels
    from model_store.layout import StoreLayout
    from model_store.refs import VersionEntry

    Load = Callable[
        [StoreLayout, str, int, VersionEntry, Callable[[Need], None] | None], LoadedVersion
    ]


class BackgroundLoads:
    """The loads of one environment. Thread-safe.

    Its own state is none: what it loads goes to `models`, whose lock it takes, except in methods
    that say that the caller holds it.
    """

    def __init__(
        self,
        layout: StoreLayout,
        watch: RefsWatch,
        background: Background,
        models: WarmModels,
        pinned_sets: PinnedSets,
        budget: MemoryBudget,
        *,
        load: Load,
        stats: Stats,
    ) -> None:
        self._layout = layout
        self._watch = watch
        self._background = background
        self._models = models
        self._pinned_sets = pinned_sets
        self._budget: Final = budget
        self._load = load
        self._stats = stats

    def start(
        self, model: WarmModel, number: int, view: ModelView, *, beside: bool
    ) -> Future[LoadedVersion]:
        """Start loading a version, or join its load in progress. The caller holds the lock.

        `beside`: another version answers until then, so golden cases run before this one does.
        """
        future = model.loads.get(number)
        if future is None:
            entry, generation = view.refs.versions[number], view.refs.generation
            beside = beside or str(entry.digest) in model.failures
            future = self._background.start(
                lambda: self._run(model, number, entry, generation, beside=beside),
                "coldpress-load",
            )
            model.loads[number] = future
        return future

    def start_replacement(self, model: WarmModel, number: int, view: ModelView) -> None:
        """Start replacing an answering version's variant if it has a replacement.

        At most once for each load, and when no call is in progress. The caller holds the lock.
        """
        if model.claim_replacement(number, view.refs):
            account = model.warm[number].account  # not the version: it may be unloaded before
            self._background.start_after_calls(
                lambda: self._replace(model, number, account), "coldpress-replace"
            )

    def drop(self, versions: list[LoadedVersion]) -> None:
        """Drop removed versions in the background, and return their memory to the system."""
        if versions:
            self._background.start(lambda: self._drop(versions), "coldpress-free")

    def wait(
        self, loading: Future[LoadedVersion], give_up_s: float, name: str, number: int
    ) -> LoadedVersion | ServingError:
        """Wait for a load, and return the version, or the error to raise for the call.

        `give_up_s`: on the monotonic clock.
        """
        try:
            return loading.result(max(give_up_s - time.monotonic(), 0.0))
        except Exception as error:
            if not loading.done():
                return NotReadyError(
                    f"version {number} of {name!r} is still being loaded: try again"
                )
            kind = NoMemoryError if isinstance(error, NoMemoryError) else NotReadyError
            public = kind(self._reason(error, name, number))
            public.__cause__ = error
            return public

    def _run(
        self, model: WarmModel, number: int, entry: VersionEntry, generation: int, *, beside: bool
    ) -> LoadedVersion:
        """Do one load, in a thread of its own."""
        started = time.perf_counter()
        try:
            loaded, account = self._load_retrying(model, number, entry, beside=beside)
        except BaseException as error:
            self._fail(model, number, entry, generation, error, started)
            raise
        if loaded.fallback:
            report_fallback(model.name, number, loaded.fallback)
        if loaded.plain_imports:
            report_plain_imports(model.name, number, loaded.plain_imports)
        is_tried = beside or not loaded.content.golden.cases
        with self._models.lock:
            model.loads.pop(number, None)
            model.failures.pop(str(entry.digest), None)
            if self._models.is_current(model):
                model.warm[number] = WarmVersion(loaded, account, time.monotonic(), is_tried)
        took_ms = report_load(model.name, number, started, phases_ms=loaded.phases_ms)
        self._stats.load(model.name, number, took_ms, failed=False)
        if not is_tried:
            self._background.start_after_calls(
                lambda: self._try_out(model, number, entry, generation, loaded),
                "coldpress-golden",
            )
        if loaded.unread:
            unread = loaded.unread  # not the version: it may be unloaded before
            self._background.start_after_calls(
                lambda: self._late_checks(model, number, entry, generation).read_rest(unread),
                "coldpress-rest",
            )
        return loaded

    def _load_retrying(
        self, model: WarmModel, number: int, entry: VersionEntry, *, beside: bool
    ) -> tuple[LoadedVersion, Account]:
        try:
            return self._load_once(model, number, entry, beside=beside)
        except (StoreError, LoadError) as error:
            if not is_stale_handle(error):
                raise
        # A file that was open here is gone from the server: load again, by new refs.
        view = self._watch.look_again(model.name)
        entry = view.refs.versions.get(number, entry)
        return self._load_once(model, number, entry, beside=beside)

    def _load_once(
        self, model: WarmModel, number: int, entry: VersionEntry, *, beside: bool
    ) -> tuple[LoadedVersion, Account]:
        account = self._budget.ledger.open()

        def make_room(need: Need) -> None:
            self._check_allowed(model, number)
            self._budget.reserve(account, model, number, need)

        try:
            loaded = self._load_noting_conflicts(model.name, number, entry, make_room)
            if beside:
                self._check_allowed(model, number)
                # Imported here: a cold start answers before it needs this.
                from inference.loading.golden_cases import try_out  # noqa: PLC0415

                loaded = try_out(loaded)
        except BaseException as error:
            self._budget.ledger.close(account)
            if not isinstance(error, StoreUnreachableError):
                self._pinned_sets.pin_after_failure(model, number, entry)
            raise
        if loaded.packages:
            self._pinned_sets.pin(loaded.packages, model, number)
        self._budget.ledger.settle(account, loaded.need.resident_bytes, loaded.session)
        return loaded, account

    def _load_noting_conflicts(
        self, name: str, number: int, entry: VersionEntry, make_room: Callable[[Need], None]
    ) -> LoadedVersion:
        try:
            return self._load(self._layout, name, number, entry, make_room)
        except LoadError:
            self._pinned_sets.note_conflict(name, number, entry)
            raise

    def _check_allowed(self, model: WarmModel, number: int) -> ModelView:
        """Raise if a version's files must not be touched now by refs; return these refs' view.

        Raises UnknownError, RetiredError, NotReadyError.
        """
        view = self._watch.look(model.name)
        entry = view.refs.versions.get(number)
        if view.identity != model.identity or entry is None:
            raise UnknownError(f"version {number} of {model.name!r} is gone: the store is another")
        if entry.state is not State.AVAILABLE:
            raise RetiredError(f"version {number} of {model.name!r} is {entry.state}")
        lease = FileLease(entry.state, None, view.upward_at)
        if not may_load(lease, Moment.now(), 0.0):
            raise NotReadyError(
                f"the refs of {model.name!r} were not read for too long: the store is out of reach"
            )
        return view

    def _try_out(
        self,
        model: WarmModel,
        number: int,
        entry: VersionEntry,
        generation: int,
        loaded: LoadedVersion,
    ) -> None:
        """Run a version's golden cases although it answers already."""
        self._late_checks(model, number, entry, generation).run_golden_cases(loaded)
        with self._models.lock:
            if model.has(loaded):
                model.warm[number].is_tried = True
                view = self._watch.view(model.name)
                if view is not None:
                    self.start_replacement(model, number, view)

    def _late_checks(
        self, model: WarmModel, number: int, entry: VersionEntry, generation: int
    ) -> LateChecks:
        # Imported here: a cold start answers before it needs this.
        from inference.serving.late_checks import LateChecks  # noqa: PLC0415

        def fail(error: BaseException, started: float, loaded: LoadedVersion) -> None:
            self._fail(model, number, entry, generation, error, started, loaded=loaded)

        return LateChecks(
            model,
            number,
            lock=self._models.lock,
            check_allowed=lambda: self._check_allowed(model, number),
            fail=fail,
            public_text=self._watch.public_text,
        )

    def _replace(self, model: WarmModel, number: int, account: Account) -> None:
        # Imported here: few versions have a replacement.
        from inference.serving.variant_replacement import VariantReplacement  # noqa: PLC0415

        VariantReplacement(
            model,
            number,
            account,
            models=self._models,
            budget=self._budget,
            stats=self._stats,
            look=lambda: self._check_allowed(model, number),
            public_text=self._watch.public_text,
        ).run()

    def _drop(self, versions: list[LoadedVersion]) -> None:
        had_packages = any(version.packages for version in versions)
        versions.clear()
        if had_packages:
            # Imported here: most versions pin no set, and those that do have imported it.
            from inference.package_sets.gc_pause import unfreeze  # noqa: PLC0415

            unfreeze()
        give_back()

    def _fail(
        self,
        model: WarmModel,
        number: int,
        entry: VersionEntry,
        generation: int,
        error: BaseException,
        started: float,
        *,
        loaded: LoadedVersion | None = None,
    ) -> None:
        """Put a version's contents in quarantine; remove `loaded` if it answers already."""
        reason = self._reason(error, model.name, number)
        with self._models.lock:  # all at once: a call in between would load it again
            if self._models.is_current(model):
                model.fail(str(entry.digest), number, generation, _fault(error), reason)
            if loaded is None:
                model.loads.pop(number, None)
            elif model.has(loaded):
                self.drop([model.remove(number)])
        took_ms = report_load(model.name, number, started, failed=reason)
        self._stats.load(model.name, number, took_ms, failed=True)

    def _reason(self, error: BaseException, name: str, number: int) -> str:
        """Return why a load failed, in one line that callers may see."""
        if isinstance(error, LoadError | StoreError | NoMemoryError | NotReadyError | RetiredError):
            return self._watch.public_text(error)
        if isinstance(error, GoldenCaseError):
            return f"version {number} of {name!r} is in quarantine: {error}"
        return f"version {number} of {name!r} cannot be loaded: {type(error).__name__}: {error}"


def _fault(error: BaseException) -> Fault:
    if isinstance(error, NoMemoryError):
        return Fault.MEMORY
    if isinstance(error, NotReadyError | RetiredError | UnknownError | StoreUnreachableError):
        return Fault.PASSING
    return Fault.PASSING if is_unreadable(error) else Fault.CONTENTS
