"""A reader in a simulation: one environment, which may be frozen, with clocks of its own."""

from __future__ import annotations

import calendar
import time
from typing import TYPE_CHECKING, Final, NamedTuple

from inference.process.clock import Moment
from inference.serving.mapped_files import (
    LIMITS,
    FileLease,
    Limits,
    lease_of_set,
    may_load,
    may_run,
)
from model_store.refs import LATEST, Refs, State, VersionEntry

if TYPE_CHECKING:
    from tests.simulation.stored import Stored

INVOCATION_S: Final = 900.0
NAME_CACHE_S: Final = 60.0
"""How long an NFS client may remember that a name was missing."""


class Touch(NamedTuple):
    """Mapped pages are read at a time: the version's, and its package set's."""

    at_s: float
    version_id: str
    sets: frozenset[str]


class Reader:
    """One environment. `stops`: the clock that stands still while it is frozen."""

    def __init__(self, store: Stored, *, skew_s: float = 0.0, stops: str = "monotonic") -> None:
        self.store = store
        self.skew_s = skew_s
        self.stops = stops
        self.seen: Refs | None = None
        self.checked_at = Moment(0.0, 0.0)
        self.loaded: dict[int, VersionEntry] = {}
        self.imported: set[str] = set()
        self.answering: int | None = None
        self.refused: set[int] = set()
        self.loading: int | None = None
        self.touches: list[Touch] = []
        self._lags_s = 0.0
        self._monotonic_s = 0.0

    def clock(self) -> Moment:
        now = Moment(self.store.now_s + self.skew_s - self._lags_s, self._monotonic_s)
        if not self.store.rules.elapsed_is_the_larger_clock:
            # As if one clock alone were believed: the one that stands still.
            return now._replace(wall_s=0.0) if self.stops == "monotonic" else now
        return now

    def pass_time(self, seconds: float) -> None:
        """Let time pass; the environment is frozen unless an invocation is in progress."""
        frozen = not any(touch.at_s > self.store.now_s for touch in self.touches)
        if frozen and self.stops == "monotonic":
            return
        if frozen and self.stops == "wall":
            self._lags_s += seconds
        self._monotonic_s += seconds

    def check(self, *, reaches_store: bool = True) -> None:
        """Read refs; upward, as far as names are not remembered as missing."""
        if not reaches_store:
            return
        self._lags_s = 0.0  # a clock that stood still is set by now
        generations = self.store.generations
        newest = self.store.installed
        if self.store.rules.refs_are_read_upward:
            known_s = self.store.now_s - NAME_CACHE_S
            while newest + 1 < len(generations) and generations[newest + 1].linked_s <= known_s:
                newest += 1
        refs = generations[newest].refs
        if self.seen is None or refs.generation > self.seen.generation:
            self.seen = refs
        self.checked_at = self.clock()

    def call(self, duration_s: float, *, version: int | None = None) -> None:
        """Answer one call; what is loaded is used from now to the call's end."""
        if self.seen is None:
            return
        wanted = self.seen.labels.get(LATEST) if version is None else version
        number = self._ready(wanted) if wanted is not None else None
        if number is None:
            number = self._ready(self.answering, load=False) if version is None else None
        if number is None:
            return  # 503
        if version is None:
            self.answering = number
        sets = frozenset(self.imported)
        for part in (0.0, 0.5, 1.0):
            at_s = self.store.now_s + part * duration_s
            self.touches.append(Touch(at_s, self.loaded[number].id, sets))

    def begin_load(self) -> None:
        """Begin to load what latest names, beside what answers."""
        if self.seen is not None and self.loading is None:
            wanted = self.seen.labels.get(LATEST)
            if wanted is not None and self._may_load(wanted):
                self.loading = wanted

    def load_step(self, *, reaches_store: bool = True) -> None:
        """Go on with it, after whatever time: it is frozen between two steps."""
        if self.loading is None or self.seen is None:
            return
        if self.store.rules.background_work_asks_again:
            self.check(reaches_store=reaches_store)
            if not self._may_load(self.loading):
                self.loading = None
                return
        entry = self.seen.versions[self.loading]
        self.touches.append(Touch(self.store.now_s, entry.id, frozenset()))

    def _ready(self, number: int | None, *, load: bool = True) -> int | None:
        """A version that may answer for a whole invocation; loads it where it is not warm."""
        if number is None or number in self.refused:
            return None
        if number in self.loaded:
            return number if self._may_run(number) else None
        entry = self.seen.versions.get(number) if self.seen and load else None
        if entry is None or not self._may_load(number):
            return None
        package_set = self.store.set_of[entry.id]
        if entry.id not in self.store.folders or package_set not in {None, *self.store.sets}:
            return None  # opening it is an error, and no fault
        self.loaded[number] = entry
        if package_set is not None:
            self.imported.add(package_set)
        return number if self._may_run(number) else None

    def _remaining_s(self) -> float:
        return INVOCATION_S if self.store.rules.invocation_counts_its_remaining_time else 0.0

    def _may_load(self, number: int) -> bool:
        standing = self._standing(number)
        rules = self.store.rules
        if not rules.deleted_is_not_loaded and standing.state is State.DELETED:
            return True
        return may_load(standing, self.clock(), self._remaining_s(), self._limits())

    def _may_run(self, number: int) -> bool:
        rules = self.store.rules
        leans_on = [self._standing(number)]
        if rules.environments_lean_on_their_sets:
            leans_on += [each for name in self.imported if (each := self._standing_of_set(name))]
        if not rules.deleted_is_not_loaded:
            leans_on = [each for each in leans_on if each.state is not State.DELETED]
        return may_run(leans_on, self.clock(), self._remaining_s(), self._limits())

    def _standing(self, number: int) -> FileLease:
        assert self.seen
        entry, rules = self.seen.versions[number], self.store.rules
        after_s = _seconds(entry.sweep_after) if rules.run_ends_before_sweep_after else None
        state = entry.state
        if not rules.run_ends_before_sweep_after and state is State.DELETED:
            state = State.RETIRED
        checked_at = self.checked_at if rules.checks_grow_old else self.clock()
        return FileLease(state, after_s, checked_at)

    def _standing_of_set(self, name: str) -> FileLease | None:
        assert self.seen
        pinning = [
            n for n, entry in self.seen.versions.items() if self.store.set_of[entry.id] == name
        ]
        return lease_of_set([self._standing(number) for number in pinning])

    def _limits(self) -> Limits:
        limits = LIMITS
        if not self.store.rules.margin_for_clocks:
            limits = limits._replace(margin_s=0.0)
        if not self.store.rules.longest_invocation_is_taken_off:
            # As if an invocation took no time.
            limits = limits._replace(grace_s=limits.grace_s + limits.longest_invocation_s)
        return limits


def _seconds(text: str | None) -> float | None:
    if text is None:
        return None
    return float(calendar.timegm(time.strptime(text, "%Y-%m-%dT%H:%M:%SZ")))
