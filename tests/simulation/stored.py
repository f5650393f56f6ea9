"""A store in a simulation: its contents, and the writers that change it, on one true clock.

Times are seconds since 1970 by the file system's clock, which is the true one. Refs, the functions
that change them and the functions that decide on deletion are real; folders are names in a set.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, NamedTuple

from model_store.digests import Digest
from model_store.documents import timestamp
from model_store.names import id_time
from model_store.refs import GRACE_S, LATEST, Change, Refs, State, VersionEntry
from model_sync.errors import ChangeError
from model_sync.refs import changes
from model_sync.refs.history import label_history, look_back
from model_sync.refs.model_removal import PLACED_S
from model_sync.refs.publish_changes import first_refs, with_version
from model_sync.sweep.plan import Past, SetFacts, SetPlan, plan_folders, plan_sets, plan_versions

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.simulation.rules import Rules

START_S: Final = 1_800_000_000.0
LONG_AGO: Final = timestamp(0)


class Generation(NamedTuple):
    """Refs, and when they were linked."""

    refs: Refs
    linked_s: float


class Publishing(NamedTuple):
    """A publication in progress: its placed files, its decision, and the set that it relies on."""

    entry: VersionEntry
    generation: int
    package_set: str | None


class Sweeping(NamedTuple):
    """A sweep in progress: its decision, its generation, and the error of its clock."""

    delete: tuple[int, ...]
    unnamed: frozenset[str]
    sets: SetPlan
    on: int
    skew_s: float


class Stored:
    """The store, and what its writers do to it."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.now_s = START_S
        change = Change("", timestamp(START_S), "publish", "")
        refs = first_refs("model", "id", writer="", change=change)
        self.generations = [Generation(refs, START_S)]
        self.installed = 0
        self.folders: set[str] = set()
        self.sets: set[str] = {"A", "B"}
        self.marks: dict[str, float] = {}
        self.set_of: dict[str, str | None] = {}
        self.broken: list[str] = []
        self._decided: Sweeping | None = None

    @property
    def newest(self) -> Refs:
        return self.generations[-1].refs

    def settle(self) -> None:
        self.installed = len(self.generations) - 1

    def change(
        self, decide: Callable[[Refs], Refs], *, settles: bool = True, on: int | None = None
    ) -> bool:
        """Commit a change, decided on the newest refs, or on those of a generation of before."""
        base = len(self.generations) - 1 if on is None else on
        try:
            refs = decide(self.generations[base].refs)
        except ChangeError:
            return False
        if base != len(self.generations) - 1:
            return False  # another was first
        self.generations.append(Generation(refs._replace(generation=base + 1), self.now_s))
        if settles:
            self.settle()
        return True

    # Publishing: place, then commit; it may sleep in between.

    def place(self, package_set: str | None, *, skew_s: float = 0.0) -> Publishing | None:
        """Put a version in place; None: its package set is not there, and it is made first."""
        if package_set is not None and not self._relies_on(package_set):
            self.sets.add(package_set)
        made = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(self.now_s + skew_s))
        version_id = f"{made}-{len(self.set_of):012x}"
        entry = VersionEntry(
            version_id, State.AVAILABLE, Digest.of_bytes(version_id.encode()), 1, made, {}
        )
        self.folders.add(version_id)
        self.set_of[version_id] = package_set
        return Publishing(entry, len(self.generations) - 1, package_set)

    def looks(self, publishing: Publishing) -> Publishing | None:
        """Return a publisher's view right before its link; None if it gives up."""
        entry, package_set = publishing.entry, publishing.package_set
        age_s = self.now_s - id_time(entry.id)
        if entry.id not in self.folders:
            if age_s < PLACED_S:
                self.broken.append("what was published for some hours was swept meanwhile")
            return None
        if self.rules.publishers_name_nothing_old and age_s > PLACED_S:
            return None
        if package_set is not None and not self._relies_on(package_set):
            if age_s < PLACED_S:
                self.broken.append("a set was swept that a publisher relied on for some hours")
            return None
        return publishing._replace(generation=len(self.generations) - 1)

    def links(self, publishing: Publishing) -> bool:
        """Link the generation that was decided on; False: another was first."""
        entry = publishing.entry
        change = Change("", timestamp(self.now_s), "publish", "")
        if not self.change(
            lambda refs: with_version(refs, entry, label=LATEST, writer="", change=change),
            on=publishing.generation,
        ):
            return False
        if self.rules.publishers_look_at_their_set_again:
            self._looks_again(publishing)
        self._check_named(entry, publishing.package_set)
        return True

    def commit(self, publishing: Publishing) -> None:
        """Look and link until it is committed, or given up."""
        looked = self.looks(publishing)
        while looked and not self.links(looked):
            looked = self.looks(publishing)

    def _looks_again(self, publishing: Publishing) -> None:
        """After the link: a removed set is reported, and created again by publishing again."""
        if publishing.package_set is not None:
            self.sets.add(publishing.package_set)

    def _relies_on(self, package_set: str) -> bool:
        if self.rules.publishers_take_the_mark_away:
            self.marks.pop(package_set, None)
        return package_set in self.sets

    def _check_named(self, entry: VersionEntry, package_set: str | None) -> None:
        if entry.id not in self.folders:
            self.broken.append("a version was published whose folder had been swept")
        if package_set is not None and package_set not in self.sets:
            self.broken.append("a version was published whose package set had been swept")

    def publish(self, package_set: str | None = None) -> int:
        publishing = self.place(package_set)
        assert publishing
        self.commit(publishing)
        return max(self.newest.versions)

    # Other verbs.

    def retire(self, number: int, *, settles: bool = True, decided_s: float | None = None) -> bool:
        """Retire a version; `decided_s`: what the writer's clock says, or said before it slept."""
        clock_s = self.now_s if decided_s is None else decided_s
        now, after = timestamp(clock_s), timestamp(clock_s + GRACE_S)
        return self.change(
            lambda refs: changes.retire(refs, number, now=now, sweep_after=after), settles=settles
        )

    def roll_back(self) -> bool:
        history = tuple(label_history(self._newest_first(), LATEST))
        done = self.change(lambda refs: changes.roll_back(refs, LATEST, history))
        if not done and len(history) > 1:
            self.broken.append("the version that latest named before had been swept")
        return done

    def _newest_first(self) -> list[Refs]:
        return [each.refs for each in reversed(self.generations[1:])]

    # Sweeping.

    def plan(self, skew_s: float = 0.0) -> tuple[int, ...]:
        """The versions that a sweep would mark, by its own clock."""
        refs, clock_s = self.newest, self.now_s + skew_s
        retired = [n for n, entry in refs.versions.items() if entry.state is State.RETIRED]
        back = look_back(self._newest_first(), retired)
        linked = {number: self.generations[g].linked_s for number, g in back.retired_by.items()}
        if not self.rules.retirement_is_waited_for_from_its_link:
            linked = dict.fromkeys(linked, 0.0)
        if not self.rules.sweep_after_is_waited_for:
            linked = dict.fromkeys(linked, 0.0)
            refs = _with_entries(refs, sweep_after=LONG_AGO)
        if not self.rules.holds_are_honoured:
            refs = refs._replace(holds={})
        if not self.rules.only_retired_is_swept:
            refs = _with_entries(refs, state=State.RETIRED, sweep_after=LONG_AGO)
            linked = dict.fromkeys(refs.versions, 0.0)
        named = back.named if self.rules.versions_before_are_kept else {}
        return plan_versions(refs, Past(named, linked), clock_s).delete

    def sweep_begins(self, skew_s: float = 0.0) -> None:
        """Settle, read refs and decide: others may write before it commits."""
        self.settle()
        sets = self._plan_sets(self.now_s + skew_s)
        on = len(self.generations) - 1
        self._decided = Sweeping(self.plan(skew_s), frozenset(), sets, on, skew_s)

    def sweep_wins(self) -> None:
        """Commit: mark versions, so that a writer about to name an old folder loses."""
        sweeping = self._decided
        if sweeping is None:
            return
        delete = sweeping.delete
        if self.rules.sweep_decides_on_the_newest_refs and sweeping.on < len(self.generations) - 1:
            delete = self.plan(sweeping.skew_s)
        clock_s = self.now_s + sweeping.skew_s
        early_s = 0.0 if self.rules.unnamed_folders_wait_a_day else 2.0 * GRACE_S
        unnamed = plan_folders(self.newest, self.folders, clock_s + early_s).unnamed
        if delete or (unnamed and self.rules.sweep_wins_a_generation_before_it_moves_folders):
            self.change(lambda refs: changes.delete(refs, delete, now=timestamp(clock_s)))
        self._decided = sweeping._replace(delete=delete, unnamed=unnamed)

    def sweep_moves(self) -> None:
        """Move to trash what is marked, and what was named by nothing."""
        sweeping, self._decided = self._decided, None
        if sweeping is not None:
            clock_s = self.now_s + sweeping.skew_s
            marked = plan_folders(self.newest, self.folders, clock_s).deleted
            self.folders -= marked | sweeping.unnamed
            self._claim_sets(sweeping.sets)

    def sweep(self, skew_s: float = 0.0) -> None:
        """A whole sweep, at one moment."""
        self.sweep_begins(skew_s)
        self.sweep_wins()
        self.sweep_moves()

    def _plan_sets(self, clock_s: float) -> SetPlan:
        """Return the marks of a sweep, and its later claims: pins may be added until then."""
        early_s = 0.0 if self.rules.unused_sets_wait_a_day else 2.0 * GRACE_S
        pinned = self._pinned()
        since = {each: timestamp(mark) for each, mark in self.marks.items()}
        facts = {each: SetFacts(each in pinned, since.get(each)) for each in self.sets}
        plan = plan_sets(facts, clock_s + early_s)
        self.marks |= dict.fromkeys(plan.mark, clock_s)
        for each in plan.unmark:
            self.marks.pop(each, None)
        return plan if early_s == 0.0 else plan._replace(delete=(*plan.delete, *plan.mark))

    def _claim_sets(self, plan: SetPlan) -> None:
        for each in plan.delete:
            if self.marks.pop(each, None) is None:
                continue  # a publisher relies on it
            if self.rules.sweep_looks_again_after_its_claim and each in self._pinned():
                continue
            self.sets.discard(each)
            if each in self._pinned():
                self.broken.append("a package set was swept that a version pins")

    def _pinned(self) -> set[str]:
        if not self.rules.sets_are_kept_while_pinned:
            return set()
        entries = self.newest.versions.values()
        return {
            package_set
            for entry in entries
            if entry.state is not State.DELETED and (package_set := self.set_of[entry.id])
        }


def _with_entries(refs: Refs, **fields: object) -> Refs:
    versions = {
        n: entry if entry.state is State.DELETED else entry._replace(**fields)  # type: ignore[arg-type]
        for n, entry in refs.versions.items()
    }
    return refs._replace(versions=versions)
