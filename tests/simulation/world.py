"""Readers, publishers, batch jobs and sweeps on one clock, moved by actions, one after the other.

An action is a method of World and its arguments. What goes wrong is in `violations`: mapped pages
that were read after they had been swept, and promises that were broken.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from model_store.documents import timestamp
from model_store.refs import LATEST
from model_sync.refs import changes
from tests.simulation.reading import Reader
from tests.simulation.rules import Rules
from tests.simulation.stored import Publishing, Stored

if TYPE_CHECKING:
    from collections.abc import Iterable

    Action = tuple[Any, ...]

HOUR: Final = 3600.0
MOST_SKEW_S: Final = 100.0
"""How far a reader's clock is off: with a sweep's minute and a name's minute, within the margin."""


class Batch(NamedTuple):
    """A job that holds a version, and reads its files for as long."""

    number: int
    until_s: float


class World:
    """Two environments: one's monotonic clock stands still while it is frozen, one's wall clock."""

    def __init__(self, rules: Rules | None = None) -> None:
        self.store = Stored(rules or Rules())
        self.readers = (
            Reader(self.store, skew_s=-MOST_SKEW_S, stops="monotonic"),
            Reader(self.store, skew_s=MOST_SKEW_S, stops="wall"),
        )
        self.batch: Batch | None = None
        self.publishing: Publishing | None = None
        self.away_until_s = 0.0
        self._violations: list[str] = []
        self.store.publish()

    @property
    def violations(self) -> list[str]:
        return self._violations + self.store.broken

    def run(self, actions: Iterable[Action]) -> World:
        for name, *arguments in actions:
            getattr(self, name)(*arguments)
        self.wait(HOUR)
        return self

    def wait(self, seconds: float) -> None:
        """Time passes; what is running goes on using what it mapped."""
        for reader in self.readers:
            reader.pass_time(seconds)
        self.store.now_s += seconds
        self._touch()

    def _touch(self) -> None:
        """Read the pages that are due by now; nothing was swept since the last time."""
        store = self.store
        for reader in self.readers:
            for touch in [each for each in reader.touches if each.at_s <= store.now_s]:
                reader.touches.remove(touch)
                if touch.version_id not in store.folders:
                    self._violations.append("mapped pages of a swept version were read")
                if not touch.sets <= store.sets:
                    self._violations.append("mapped pages of a swept package set were read")
        if self.batch and store.now_s < self.batch.until_s and "job" in store.newest.holds:
            entry = store.newest.versions[self.batch.number]
            if entry.id not in store.folders:
                self._violations.append("a version was swept that a job held")

    # What readers do.

    def check(self, reader: int) -> None:
        self.readers[reader].check(reaches_store=self.store.now_s >= self.away_until_s)

    def call(self, reader: int, duration_s: float = 900.0, version: int | None = None) -> None:
        self.readers[reader].call(duration_s, version=self._existing(version))
        self._touch()

    def begin_load(self, reader: int) -> None:
        self.readers[reader].begin_load()

    def load_step(self, reader: int) -> None:
        self.readers[reader].load_step(reaches_store=self.store.now_s >= self.away_until_s)
        self._touch()

    def break_latest(self) -> None:
        """The version that latest names cannot be loaded: the previous version keeps answering."""
        for reader in self.readers:
            reader.refused.add(self.store.newest.labels.get(LATEST, 0))

    def lose_mount(self, seconds: float) -> None:
        self.away_until_s = self.store.now_s + seconds

    # What writers do.

    def publish(self, package_set: str | None = None) -> None:
        self.store.publish(package_set)

    def place(self, package_set: str | None = None, skew_s: float = 0.0) -> None:
        self.publishing = self.store.place(package_set, skew_s=skew_s)

    def look(self) -> None:
        if self.publishing:
            self.publishing = self.store.looks(self.publishing)

    def link(self) -> None:
        """Link; a writer that loses looks again, and links again."""
        publishing, self.publishing = self.publishing, None
        if publishing and not self.store.links(publishing):
            self.store.commit(publishing)

    def promote(self, version: int) -> None:
        number = self._existing(version)
        if number:
            self.store.change(lambda refs: changes.promote(refs, number, LATEST))

    def retire(self, version: int, settles: bool = True) -> None:
        number = self._existing(version)
        if number:
            self.store.retire(number, settles=settles)

    def retire_late(self, version: int, slept_s: float) -> None:
        """As a writer does that decided so long ago, or whose clock is so far behind."""
        number = self._existing(version)
        if number:
            self.store.retire(number, decided_s=self.store.now_s - slept_s)

    def roll_back(self) -> None:
        self.store.roll_back()

    def settle(self) -> None:
        self.store.settle()

    def hold(self, version: int, hours: float) -> None:
        """A batch job holds a version for a time, and reads its files during that time."""
        number, until_s = self._existing(version), self.store.now_s + hours * HOUR
        if number and self.store.change(
            lambda refs: changes.hold(refs, "job", number, until=timestamp(until_s))
        ):
            self.batch = Batch(number, until_s)

    def release(self) -> None:
        self.store.change(lambda refs: changes.release(refs, "job"))

    def sweep(self, skew_s: float = 0.0) -> None:
        self._touch()
        self.store.sweep(skew_s)
        self._touch()

    def sweep_begins(self, skew_s: float = 0.0) -> None:
        self.store.sweep_begins(skew_s)

    def sweep_wins(self) -> None:
        self.store.sweep_wins()

    def sweep_moves(self) -> None:
        self._touch()
        self.store.sweep_moves()

    def _existing(self, version: int | None) -> int | None:
        """A version's number, counted from the newest; None where there is none so old."""
        if version is None:
            return None
        numbers = sorted(self.store.newest.versions, reverse=True)
        return numbers[version] if version < len(numbers) else None
