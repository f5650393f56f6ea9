"""What one environment holds of one model: warm versions, loads under way, failures, labels.

Plain state. Everything in it is guarded by the manager's lock, which is never held during I/O,
loading or a model's run.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from inference.process.clock import Moment
from inference.serving import policy
from inference.serving.policy import Held
from inference.serving.quarantine import Failure, Fault, is_quarantined
from model_store.refs import State

if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import Future

    from inference.loading.loaded_version import LoadedVersion
    from inference.serving.memory_ledger import Account
    from inference.serving.refs_watch import ModelView
    from model_store.refs import Refs

SHADOW: Final = "shadow"
"""The label whose version runs beside others and never answers."""


@dataclass(slots=True)
class WarmVersion:
    """A version that can answer. `used_s`: when it last did, on the monotonic clock.

    `is_tried`: its golden cases have run here, or there are none, or they could not be read.
    `is_called`: it has answered. `is_replacing`: what replaces its form was begun, once and for all.
    """

    loaded: LoadedVersion
    account: Account
    used_s: float
    is_tried: bool
    is_called: bool = False
    is_replacing: bool = False


@dataclass(slots=True)
class WarmModel:
    """One model of one store, under one identity: another identity is another WarmModel.

    `answering`: the version that last answered each label; `current_at`: when that was last known
    to be the one that refs name. `failures` are by the digest of a version's contents.
    """

    name: str
    identity: tuple[str, str]
    generation: int = 0
    warm: dict[int, WarmVersion] = field(default_factory=dict)
    loads: dict[int, Future[LoadedVersion]] = field(default_factory=dict)
    failures: dict[str, Failure] = field(default_factory=dict)
    answering: dict[str, int] = field(default_factory=dict)
    current_at: dict[str, Moment] = field(default_factory=dict)
    asked_by_number: int | None = None

    def take_up(self, refs: Refs) -> None:
        """Forget the labels that refs no longer have, and the failures of what left service."""
        self.generation = refs.generation
        if self.failures:
            served = {
                str(entry.digest)
                for entry in refs.versions.values()
                if entry.state is State.AVAILABLE
            }
            for digest in self.failures.keys() - served:
                del self.failures[digest]
        for label in self.answering.keys() - refs.labels.keys():
            del self.answering[label]
            self.current_at.pop(label, None)

    def before(self, label: str | None, wanted: int, view: ModelView) -> int | None:
        """The version that answered a label last; notes that it is current, where it is."""
        if label is None:
            return None
        before = self.answering.get(label)
        if before == wanted:
            self.current_at[label] = view.checked_at
        return before

    def is_overdue(self, label: str | None, max_staleness_s: float) -> bool:
        """Whether a label's version was superseded longer ago than callers accept."""
        current_at = self.current_at.get(label) if label else None
        return current_at is not None and current_at.elapsed_s(Moment.now()) > max_staleness_s

    def can_answer(self, label: str, view: ModelView) -> bool:
        """Whether anything is warm that a label may be answered by."""
        return view.refs.labels.get(label) in self.warm or self.answering.get(label) in self.warm

    def is_out(self, number: int, refs: Refs, *, something_answers: bool) -> bool:
        """Whether a version is out of service, or its contents are in quarantine."""
        entry = refs.versions.get(number)
        if entry is None or entry.state is not State.AVAILABLE:
            return True
        failure = self.failures.get(str(entry.digest)) if self.failures else None
        return failure is not None and is_quarantined(
            failure, refs.generation, Moment.now(), something_answers=something_answers
        )

    def fail(self, digest: str, number: int, generation: int, fault: Fault, reason: str) -> Failure:
        """Note that contents failed to load. `generation`: of the refs that had them loaded."""
        before = self.failures.get(digest)
        tries = before.tries + 1 if before and before.fault is fault else 1
        failure = Failure(number, fault, reason, Moment.now(), generation, tries)
        self.failures[digest] = failure
        return failure

    def answer(self, number: int, label: str | None, view: ModelView) -> bool:
        """Note that a warm version answers a call now; tell whether it took over from another."""
        warm = self.warm[number]
        warm.used_s, warm.is_called = time.monotonic(), True
        if label is None:
            self.asked_by_number = number
            return False
        before = self.answering.get(label)
        self.answering[label] = number
        if view.refs.labels.get(label) == number:
            self.current_at[label] = view.checked_at
        return before not in {None, number}

    def has(self, loaded: LoadedVersion) -> bool:
        """Whether this very load of a version is warm."""
        warm = self.warm.get(loaded.number)
        return warm is not None and warm.loaded.session is loaded.session

    def begins_to_be_replaced(self, number: int, refs: Refs) -> bool:
        """Whether the form of a warm version is to be replaced from now on; True once only."""
        warm = self.warm.get(number)
        if warm is None or warm.is_replacing or warm.loaded.replacement is None:
            return False
        warm.is_replacing = warm.is_called and warm.is_tried and self.is_wanted(number, refs)
        return warm.is_replacing

    def is_wanted(self, number: int, refs: Refs) -> bool:
        """Whether calls may go on to come for a version: by a label of refs, or by its number."""
        return number == self.asked_by_number or number in refs.labels.values()

    def take(self, number: int) -> LoadedVersion:
        """Take a warm version out: it answers no more, and is gone when all have dropped it."""
        warm = self.warm.pop(number)
        warm.account.is_leaving = True
        return warm.loaded

    def take_all(self) -> list[LoadedVersion]:
        """Take every warm version out, for the caller to drop."""
        return [self.take(number) for number in [*self.warm]]

    def take_unneeded(self, refs: Refs) -> list[LoadedVersion]:
        """Take out the warm versions that nothing needs, for the caller to drop."""
        if len(self.warm) < 2:
            return []
        gone = policy.to_free(
            warm=self.warm,
            answering=[*self.answering.values(), *refs.labels.values()],
            asked_by_number=self.asked_by_number,
        )
        return [self.take(number) for number in sorted(gone)]

    def held(self, replaced_by_load_of: str) -> Iterator[Held]:
        """The warm versions, as the policy weighs them when a load needs room."""
        for number, warm in self.warm.items():
            answers = number in self.answering.values()
            is_replaced = answers and self.name == replaced_by_load_of
            n_bytes = warm.loaded.need.resident_bytes
            yield Held(self.name, number, n_bytes, warm.used_s, is_replaced)


def also_needed(refs: Refs) -> tuple[str, ...]:
    """The labels whose versions load without being called: a split's, and the shadow."""
    split = tuple(label for label, percent in refs.split.items() if percent)
    return (*split, SHADOW) if SHADOW in refs.labels else split
