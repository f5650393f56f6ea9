"""The state of one environment: its warm models, and the lock that guards them.

Plain state, no I/O. `WarmModels.lock` guards `by_name`, all WarmModels in it, and PinnedSets
(pinned_sets.py). It is never held during I/O, loading or a model's run. Methods here do not take
the lock: their callers hold it.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from inference.process.clock import Moment
from inference.serving import policy
from inference.serving.policy import EvictionCandidate
from inference.serving.quarantine import Failure, Fault, is_quarantined
from model_store.refs import State

if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import Future

    from inference.loading.loaded_version import LoadedVersion
    from inference.serving.memory_ledger import Account
    from inference.serving.view import ModelView
    from model_store.refs import Refs

SHADOW: Final = "shadow"
"""The label whose version runs beside others and never answers."""


@dataclass(slots=True)
class WarmVersion:
    """A version that can answer.

    - `used_s`: time of its last answer, on the monotonic clock.
    - `is_tried`: its golden cases have run here, or it has none, or they could not be read.
    - `is_called`: it has answered a call.
    - `is_replacing`: its replacement was started; it is started at most once.
    """

    loaded: LoadedVersion
    account: Account
    used_s: float
    is_tried: bool
    is_called: bool = False
    is_replacing: bool = False


@dataclass(slots=True)
class WarmModel:
    """The warm versions, loads in progress and failures of one model under one identity.

    - `identity`: store id and model id; a model with another identity is another WarmModel.
    - `generation`: of the newest refs that were applied here.
    - `failures`: by the digest of a version's contents.
    - `answering`: the version that last answered each label; `current_at`: when refs last named
      that version for the label.
    - `called_by_number`: the version that was last called by its number.
    """

    name: str
    identity: tuple[str, str]
    generation: int = 0
    warm: dict[int, WarmVersion] = field(default_factory=dict)
    loads: dict[int, Future[LoadedVersion]] = field(default_factory=dict)
    failures: dict[str, Failure] = field(default_factory=dict)
    answering: dict[str, int] = field(default_factory=dict)
    current_at: dict[str, Moment] = field(default_factory=dict)
    called_by_number: int | None = None

    def apply_refs(self, refs: Refs) -> None:
        """Forget labels that are not in `refs`, and failures of contents no longer in service."""
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

    def previous(self, label: str | None, wanted: int, view: ModelView) -> int | None:
        """Return the version that last answered a label; if it is `wanted`, note it as current."""
        if label is None:
            return None
        previous = self.answering.get(label)
        if previous == wanted:
            self.current_at[label] = view.checked_at
        return previous

    def is_overdue(self, label: str | None, max_staleness_s: float) -> bool:
        """Return True if a label's version was superseded longer ago than `max_staleness_s`."""
        current_at = self.current_at.get(label) if label else None
        return current_at is not None and current_at.elapsed_s(Moment.now()) > max_staleness_s

    def can_answer(self, label: str, view: ModelView) -> bool:
        """Return True if a version that may answer a label is warm."""
        return view.refs.labels.get(label) in self.warm or self.answering.get(label) in self.warm

    def is_out(self, number: int, refs: Refs, *, something_answers: bool) -> bool:
        """Return True if a version is out of service, or its contents are in quarantine."""
        entry = refs.versions.get(number)
        if entry is None or entry.state is not State.AVAILABLE:
            return True
        failure = self.failures.get(str(entry.digest)) if self.failures else None
        return failure is not None and is_quarantined(
            failure, refs.generation, Moment.now(), something_answers=something_answers
        )

    def fail(self, digest: str, number: int, generation: int, fault: Fault, reason: str) -> Failure:
        """Record that contents failed to load. `generation`: of the refs that the load went by."""
        last = self.failures.get(digest)
        tries = last.tries + 1 if last and last.fault is fault else 1
        failure = Failure(number, fault, reason, Moment.now(), generation, tries)
        self.failures[digest] = failure
        return failure

    def answer(self, number: int, label: str | None, view: ModelView) -> bool:
        """Record that a warm version answers a call; return True if another one did before."""
        warm = self.warm[number]
        warm.used_s, warm.is_called = time.monotonic(), True
        if label is None:
            self.called_by_number = number
            return False
        previous = self.answering.get(label)
        self.answering[label] = number
        if view.refs.labels.get(label) == number:
            self.current_at[label] = view.checked_at
        return previous not in {None, number}

    def has(self, loaded: LoadedVersion) -> bool:
        """Return True if a version is warm with the session of this very load."""
        warm = self.warm.get(loaded.number)
        return warm is not None and warm.loaded.session is loaded.session

    def claim_replacement(self, number: int, refs: Refs) -> bool:
        """Return True if the caller is to replace a warm version's variant; at most once a load."""
        warm = self.warm.get(number)
        if warm is None or warm.is_replacing or warm.loaded.replacement is None:
            return False
        warm.is_replacing = warm.is_called and warm.is_tried and self.may_be_called(number, refs)
        return warm.is_replacing

    def may_be_called(self, number: int, refs: Refs) -> bool:
        """Return True if a label names a version, or it was the last one called by number."""
        return number == self.called_by_number or number in refs.labels.values()

    def remove(self, number: int) -> LoadedVersion:
        """Remove a warm version, for the caller to drop; calls that have it keep it."""
        warm = self.warm.pop(number)
        warm.account.is_leaving = True
        return warm.loaded

    def remove_all(self) -> list[LoadedVersion]:
        """Remove every warm version, for the caller to drop."""
        return [self.remove(number) for number in [*self.warm]]

    def remove_unneeded(self, refs: Refs) -> list[LoadedVersion]:
        """Remove the warm versions that nothing needs, for the caller to drop."""
        if len(self.warm) < 2:
            return []
        unneeded = policy.find_unneeded(
            warm=self.warm,
            answering=[*self.answering.values(), *refs.labels.values()],
            called_by_number=self.called_by_number,
        )
        return [self.remove(number) for number in sorted(unneeded)]

    def eviction_candidates(self, loading_model: str) -> Iterator[EvictionCandidate]:
        """Yield the warm versions as the policy weighs them when `loading_model` needs room."""
        for number, warm in self.warm.items():
            answers = number in self.answering.values()
            is_replaced = answers and self.name == loading_model
            n_bytes = warm.loaded.need.resident_bytes
            yield EvictionCandidate(self.name, number, n_bytes, warm.used_s, is_replaced)


class WarmModels:
    """All warm models of one environment, by name, and the lock that guards them."""

    def __init__(self) -> None:
        self.lock: Final = threading.Lock()
        self.by_name: Final[dict[str, WarmModel]] = {}

    def is_current(self, model: WarmModel) -> bool:
        """Return True if a model was not removed, nor replaced under its name by another one."""
        return self.by_name.get(model.name) is model

    def is_loading(self) -> bool:
        """Return True if a load of any model is in progress."""
        return any(model.loads for model in self.by_name.values())

    def answering(self) -> tuple[str, ...]:
        """Return the names of the models that have a warm version."""
        return tuple(name for name, model in self.by_name.items() if model.warm)

    def eviction_candidates(self, loading_model: str) -> list[EvictionCandidate]:
        """Return all warm versions as the policy weighs them when `loading_model` needs room."""
        models = self.by_name.values()
        return [each for model in models for each in model.eviction_candidates(loading_model)]

    def evict(self, candidates: tuple[EvictionCandidate, ...]) -> list[LoadedVersion]:
        """Remove versions that the policy chose, for the caller to drop."""
        return [self.by_name[each.model].remove(each.version) for each in candidates]


def preloaded_labels(refs: Refs) -> tuple[str, ...]:
    """Return the labels whose versions load before a call: those of a split, and the shadow."""
    split = tuple(label for label, percent in refs.split.items() if percent)
    return (*split, SHADOW) if SHADOW in refs.labels else split
