"""Loads versions off the request's path: finds room, loads, tries, takes up or puts in quarantine.

A load is one piece of background work. Between its steps an environment may have been frozen for
hours, so each step that touches the version's files asks again first whether it still may.

A version that is loaded beside another runs its golden cases before it answers anything: they keep
a bad one out, and the first call after the swap is not the slow one. One that a call waits for
answers that call first, and runs them right after: a cold start pays for nothing that publishing
has already proven. But contents that have failed here before prove themselves first.

A version that was prepared to go on in another form than it is loaded in changes it once calls have
come for it (variant_replacement.py).
"""

from __future__ import annotations

import math
import sys
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
from inference.loading.prefetch import check_pieces
from inference.process.clock import Moment
from inference.process.memory import give_back
from inference.serving import policy
from inference.serving.mapped_files import FileLease, may_load
from inference.serving.memory_ledger import Ledger
from inference.serving.quarantine import Fault
from inference.serving.refs_watch import is_stale_handle, is_unreadable
from inference.serving.warm_models import WarmModel, WarmVersion
from inference.telemetry import (
    count_evictions,
    logger,
    report_fallback,
    report_load,
    report_plain_imports,
)
from model_store.errors import StoreError, StoreUnreachableError
from model_store.reading import read_version
from model_store.refs import State

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterator
    from concurrent.futures import Future

    from inference.loading.loaded_version import LoadedVersion
    from inference.loading.memory_need import Need
    from inference.loading.read_plan import FileRange
    from inference.process.background import Background
    from inference.serving.memory_ledger import Account
    from inference.serving.refs_watch import ModelView, RefsWatch
    from inference.serving.stats import Stats
    from model_store.digests import Digest
    from model_store.layout import StoreLayout
    from model_store.refs import VersionEntry

    Pinned = tuple[str, tuple[str, str], int]
    """A version that pins a package set: its model, that model's identity, its number."""

    Load = Callable[
        [StoreLayout, str, int, VersionEntry, Callable[[Need], None] | None], LoadedVersion
    ]

ROOM_DEADLINE_S: Final = 60.0
"""How long a load waits for calls and loads under way to give their memory back."""


class BackgroundLoads:
    """The loads of one environment. The manager's lock guards `models` and all that is in it."""

    def __init__(
        self,
        layout: StoreLayout,
        watch: RefsWatch,
        background: Background,
        lock: threading.Lock,
        models: dict[str, WarmModel],
        *,
        load: Load,
        budget_bytes: int | None,
        stats: Stats,
    ) -> None:
        self._layout = layout
        self._watch = watch
        self._background = background
        self._lock = lock
        self._models = models
        self._load = load
        self._stats = stats
        self._ledger: Final = Ledger()
        self.budget_bytes: Final = budget_bytes
        self.pinned: Final[dict[Digest, set[Pinned]]] = {}
        """The package sets that this process imported from, and the versions that pin each, as
        (model, identity, number)."""
        self.pinning: frozenset[str] = frozenset()
        """The names of the models in `pinned`; read without the lock."""

    @property
    def used_bytes(self) -> int:
        """What all versions take, those that load and those that were let go in a call included."""
        return self._ledger.used_bytes

    def start(
        self, model: WarmModel, number: int, view: ModelView, *, beside: bool
    ) -> Future[LoadedVersion]:
        """Start loading a version, or join its loading. The lock is held.

        `beside`: another version answers meanwhile, so this one is tried before it does.
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

    def follow(self, model: WarmModel, number: int, view: ModelView) -> None:
        """Have a version that answers go on in its other form, if it has one. The lock is held.

        Once for each load of it, when it has answered and no call is under way.
        """
        if model.begins_to_be_replaced(number, view.refs):
            account = model.warm[number].account  # and not what is loaded, which may be let go
            self._background.start_after_calls(
                lambda: self._follow(model, number, account), "coldpress-replace"
            )

    def _follow(self, model: WarmModel, number: int, account: Account) -> None:
        # Imported here: few versions have another form to go on in.
        from inference.serving.variant_replacement import VariantReplacement  # noqa: PLC0415

        VariantReplacement(
            model,
            number,
            account,
            lock=self._lock,
            ledger=self._ledger,
            budget_bytes=self.budget_bytes,
            stats=self._stats,
            look=lambda: self._check_allowed(model, number),
            loads_under_way=lambda: any(each.loads for each in self._models.values()),
            shown=self._watch.shown,
        ).run()

    def let_go(self, versions: list[LoadedVersion]) -> None:
        """Drop versions off the request's path, and give their memory back to the system."""
        if versions:
            self._background.start(lambda: self._drop(versions), "coldpress-free")

    def _drop(self, versions: list[LoadedVersion]) -> None:
        had_packages = any(version.packages for version in versions)
        versions.clear()
        if had_packages:
            # Imported here: most versions pin no set, and this was imported with theirs.
            from inference.package_sets.gc_pause import unfreeze  # noqa: PLC0415

            unfreeze()
        give_back()

    def _run(
        self, model: WarmModel, number: int, entry: VersionEntry, generation: int, *, beside: bool
    ) -> LoadedVersion:
        """One load, from room to taking it up. Runs in a thread of its own."""
        started = time.perf_counter()
        try:
            loaded, account = self._load_in_room(model, number, entry, beside=beside)
        except BaseException as error:
            self._fail(model, number, entry, generation, error, started)
            raise
        if loaded.fallback:
            report_fallback(model.name, number, loaded.fallback)
        if loaded.plain_imports:
            report_plain_imports(model.name, number, loaded.plain_imports)
        is_tried = beside or not loaded.content.golden.cases
        with self._lock:
            model.loads.pop(number, None)
            model.failures.pop(str(entry.digest), None)
            if self._is_held(model):
                model.warm[number] = WarmVersion(loaded, account, time.monotonic(), is_tried)
        took_ms = report_load(model.name, number, started, phases_ms=loaded.phases_ms)
        self._stats.load(model.name, number, took_ms, failed=False)
        if not is_tried:
            self._background.start_after_calls(
                lambda: self._try_after(model, number, entry, generation, loaded),
                "coldpress-golden",
            )
        if loaded.unread:
            unread = loaded.unread  # and not the version, which may be let go meanwhile
            self._background.start_after_calls(
                lambda: self._check_rest(model, number, entry, generation, unread),
                "coldpress-rest",
            )
        return loaded

    def _load_in_room(
        self, model: WarmModel, number: int, entry: VersionEntry, *, beside: bool
    ) -> tuple[LoadedVersion, Account]:
        try:
            return self._load_once(model, number, entry, beside=beside)
        except (StoreError, LoadError) as error:
            if not is_stale_handle(error):
                raise
        # What was open is gone from the server: once more, by what refs say now.
        view = self._watch.look_again(model.name)
        entry = view.refs.versions.get(number, entry)
        return self._load_once(model, number, entry, beside=beside)

    def _load_once(
        self, model: WarmModel, number: int, entry: VersionEntry, *, beside: bool
    ) -> tuple[LoadedVersion, Account]:
        account = self._ledger.open()

        def make_room(need: Need) -> None:
            self._check_allowed(model, number)
            self._reserve(account, model, number, need)

        try:
            loaded = self._load(self._layout, model.name, number, entry, make_room)
            if beside:
                self._check_allowed(model, number)
                loaded = tried(loaded)
        except BaseException as error:
            self._ledger.close(account)
            if not isinstance(error, StoreUnreachableError):
                self._pin_what_stays(model, number, entry)
            raise
        if loaded.packages:
            self._pin(loaded.packages, model, number)
        self._ledger.settle(account, loaded.need.resident_bytes, loaded.session)
        return loaded, account

    def _pin_what_stays(self, model: WarmModel, number: int, entry: VersionEntry) -> None:
        """Pin the package set of a version that failed, if it imported from it: that stays."""
        packages = sys.modules.get("inference.package_sets.active_sets")
        if packages is None:
            return  # nothing here ever pinned one
        try:
            digest = read_version(self._layout, model.name, entry).content.packages
        except StoreError:
            return
        if digest and packages.is_in_use(self._layout, digest):
            self._pin(digest, model, number)

    def _pin(self, packages: Digest, model: WarmModel, number: int) -> None:
        view = self._watch.view(model.name)
        with self._lock:
            pinned_by = self.pinned.setdefault(packages, set())
            for pinned in [*pinned_by]:
                entry = view.refs.versions.get(pinned[2]) if view else None
                if pinned[1] == model.identity and entry and entry.state is State.DELETED:
                    pinned_by.discard(pinned)  # it makes no set any safer
            pinned_by.add((model.name, model.identity, number))
            self.pinning |= {model.name}

    def _check_allowed(self, model: WarmModel, number: int) -> ModelView:
        """Raise if the version's files must not be touched now, by what refs say now: these."""
        view = self._watch.look(model.name)
        entry = view.refs.versions.get(number)
        if view.identity != model.identity or entry is None:
            raise UnknownError(f"version {number} of {model.name!r} is gone: the store is another")
        if entry.state is not State.AVAILABLE:
            raise RetiredError(f"version {number} of {model.name!r} is {entry.state}")
        standing = FileLease(entry.state, None, view.upward_at)
        if not may_load(standing, Moment.now(), 0.0):
            raise NotReadyError(_out_of_sight(model.name))
        return view

    def _reserve(self, account: Account, model: WarmModel, number: int, need: Need) -> None:
        """Reserve what a version needs, letting others go; raises NoMemoryError, NotReadyError."""
        budget_bytes = self.budget_bytes
        end_s = time.monotonic() + ROOM_DEADLINE_S
        while True:
            with self._lock:
                found = policy.make_room(
                    need_bytes=need.peak_bytes,
                    budget_bytes=budget_bytes,
                    used_bytes=self._ledger.staying_bytes,
                    warm=[held for each in self._models.values() for held in each.held(model.name)],
                )
                if isinstance(found, policy.NeverFits):
                    raise NoMemoryError(
                        f"version {number} of {model.name!r} needs {_mb_up(need.peak_bytes)} MB to "
                        f"load; this environment has {_mb(budget_bytes or 0)} MB for all versions "
                        "together: give the function more memory"
                    )
                evicted = [self._models[held.model].take(held.version) for held in found.evict]
                for held in found.evict:
                    self._stats.evicted(held.model, held.version)
                taken_bytes = self._ledger.used_bytes + need.peak_bytes
                if budget_bytes is None or taken_bytes <= budget_bytes:
                    self._ledger.reserve(account, need.peak_bytes)
                    return
            if evicted:
                count_evictions(model.name, len(evicted))
                evicted.clear()
                give_back()
            if not self._ledger.wait_for_change(end_s - time.monotonic()):
                raise NotReadyError(
                    f"version {number} of {model.name!r} waits for memory that calls under way "
                    "have: try again"
                )

    def _try_after(
        self,
        model: WarmModel,
        number: int,
        entry: VersionEntry,
        generation: int,
        loaded: LoadedVersion,
    ) -> None:
        """Run a version's golden cases though it answers already; a failure takes it out."""
        started = time.perf_counter()
        try:
            self._check_allowed(model, number)
            tried(loaded)
        except (RetiredError, UnknownError, NotReadyError, StoreError) as error:
            # Out of service, or its cases cannot be read: that says nothing against its answers.
            logger.warning("golden cases cannot be run", model=model.name, reason=str(error))
        except Exception as error:
            self._fail(model, number, entry, generation, error, started, loaded=loaded)
        with self._lock:
            if model.has(loaded):
                model.warm[number].is_tried = True
                view = self._watch.view(model.name)
                if view is not None:
                    self.follow(model, number, view)

    def _check_rest(
        self,
        model: WarmModel,
        number: int,
        entry: VersionEntry,
        generation: int,
        unread: tuple[FileRange, ...],
    ) -> None:
        """Read and check what no call has touched yet; what is wrong takes the version out."""
        started = time.perf_counter()
        try:
            check_pieces(self._while_held(model, number, unread))
        except (RetiredError, UnknownError, NotReadyError):
            return  # out of service: it answers no more, or soon
        except StoreError as error:
            loaded = self._held_with(model, number, unread)
            if loaded is None:
                return
            if is_unreadable(error):
                logger.warning(
                    "a version was not read to its end",
                    model=model.name,
                    version=number,
                    reason=self._watch.shown(error),
                )
                return
            self._fail(model, number, entry, generation, error, started, loaded=loaded)

    def _while_held(
        self, model: WarmModel, number: int, unread: tuple[FileRange, ...]
    ) -> Iterator[FileRange]:
        for piece in unread:
            self._check_allowed(model, number)
            if self._held_with(model, number, unread) is None:
                return
            yield piece

    def _held_with(
        self, model: WarmModel, number: int, unread: tuple[FileRange, ...]
    ) -> LoadedVersion | None:
        """The version, if it is held since these pieces were left; another load leaves others."""
        with self._lock:
            warm = model.warm.get(number)
        return warm.loaded if warm and warm.loaded.unread is unread else None

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
        """Put a version's contents in quarantine; `loaded` is taken out if it answers already."""
        reason = self.reason(error, model.name, number)
        with self._lock:  # all at once: a call in between would load it again
            if self._is_held(model):
                model.fail(str(entry.digest), number, generation, _fault(error), reason)
            if loaded is None:
                model.loads.pop(number, None)
            elif model.has(loaded):
                self.let_go([model.take(number)])
        took_ms = report_load(model.name, number, started, failed=reason)
        self._stats.load(model.name, number, took_ms, failed=True)

    def wait(
        self, loading: Future[LoadedVersion], give_up_s: float, name: str, number: int
    ) -> LoadedVersion | ServingError:
        """Wait for a load, and return it, or the error that the call is told."""
        try:
            return loading.result(max(give_up_s - time.monotonic(), 0.0))
        except Exception as error:
            if not loading.done():
                return NotReadyError(
                    f"version {number} of {name!r} is still being loaded: try again"
                )
            kind = NoMemoryError if isinstance(error, NoMemoryError) else NotReadyError
            told = kind(self.reason(error, name, number))
            told.__cause__ = error
            return told

    def reason(self, error: BaseException, name: str, number: int) -> str:
        """Why a load failed, in one line that callers may see."""
        if isinstance(error, LoadError | StoreError | NoMemoryError | NotReadyError | RetiredError):
            return self._watch.shown(error)
        if isinstance(error, GoldenCaseError):
            return f"version {number} of {name!r} is in quarantine: {error}"
        return f"version {number} of {name!r} cannot be loaded: {type(error).__name__}: {error}"

    def _is_held(self, model: WarmModel) -> bool:
        return self._models.get(model.name) is model


def tried(loaded: LoadedVersion) -> LoadedVersion:
    """A version whose golden cases were run; raises GoldenCaseError."""
    if not loaded.content.golden.cases:
        return loaded
    # Imported here: a cold start answers before it needs this.
    from inference.loading.golden_cases import run_golden_cases  # noqa: PLC0415

    started = time.perf_counter()
    run_golden_cases(loaded, loaded.folder, loaded.content)
    took_ms = (time.perf_counter() - started) * 1e3
    return loaded._replace(phases_ms={**loaded.phases_ms, "warm_up": took_ms})


def _fault(error: BaseException) -> Fault:
    if isinstance(error, NoMemoryError):
        return Fault.MEMORY
    if isinstance(error, NotReadyError | RetiredError | UnknownError | StoreUnreachableError):
        return Fault.PASSING
    return Fault.PASSING if is_unreadable(error) else Fault.CONTENTS


def _out_of_sight(name: str) -> str:
    return f"the refs of {name!r} were not read for too long: the store is out of reach"


def _mb_up(n_bytes: int) -> str:
    return f"{math.ceil(n_bytes / (1 << 20)):,}"  # or a need just over the budget reads as equal


def _mb(n_bytes: int) -> str:
    return f"{n_bytes >> 20:,}"
