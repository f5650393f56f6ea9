"""The decisions for one model: pure functions of values.

For one call (`decide`), where the *previous* version is the one that answered its label last:

- The version that refs name answers as soon as it is warm: Keep, or Swap if another one answered.
- Until then the previous version answers while the new one loads: LoadBeside.
- A call waits (Load) only if no version that may answer is warm: nothing was loaded yet, the
  previous version was superseded too long ago, or rule 6 (mapped_files.py) forbids its files.
- A version that failed is in quarantine: the previous version answers for as long as rule 6 allows.
  If the previous version was evicted, it is loaded again; if there is none, the call is refused
  with the reason: Quarantine.
- A version whose golden cases have not run yet does not take over from one that answers.

For one load (`make_room`), once its need of memory is known:

- It fits beside all warm versions: it begins.
- It fits if others are evicted: they are, the least recently used first.
- It fits only without the version that it replaces: that one is evicted last, and calls wait.
- It does not fit even so, as other loads are in progress: it waits for them, and evicts none.
- It never fits: an error of its own, with both numbers.

What is not here: locks, loading and the store (version_selector.py, memory_budget.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence


class Keep(NamedTuple):
    """This version answers, as it did before."""

    version: int


class Swap(NamedTuple):
    """This version answers from now on, instead of another one."""

    version: int


class LoadBeside(NamedTuple):
    """The call is answered by `version`, while `load` is loaded."""

    version: int
    load: int


class Load(NamedTuple):
    """The call waits until this version is loaded.

    `instead` answers if the load takes longer than a call can wait; None if no version may.
    """

    version: int
    instead: int | None = None


class Quarantine(NamedTuple):
    """This version failed, is not loaded again now, and no other one may answer."""

    version: int


class Forbidden(NamedTuple):
    """Rule 6 forbids every version that could answer: refs were not read for too long."""

    version: int


Action = Keep | Swap | LoadBeside | Load | Quarantine | Forbidden


class Situation(NamedTuple):
    """The input of a decision for one call.

    - `wanted`: the version that the call's label or number names now.
    - `previous`: the version that answered that label last; None for a call by number, which no
      other version may answer.
    - `failed`: versions that are in quarantine or out of service.
    - `forbidden`: versions that must not run or be loaded now, by rule 6.
    - `is_overdue`: `previous` was superseded longer ago than callers accept.
    - `untried`: warm versions whose golden cases have not run yet.
    """

    wanted: int
    previous: int | None = None
    warm: Collection[int] = frozenset()
    loading: Collection[int] = frozenset()
    failed: Collection[int] = frozenset()
    forbidden: Collection[int] = frozenset()
    is_overdue: bool = False
    untried: Collection[int] = frozenset()


def decide(now: Situation) -> Action:
    """Decide which version answers one call, and which one to load."""
    wanted, previous = now.wanted, now.previous
    other = None if previous in {wanted, *now.forbidden} else previous
    spare = other if other in now.warm else None
    if spare is not None and (wanted in now.forbidden or wanted in now.untried):
        return Keep(spare)
    if wanted in now.warm and wanted not in now.forbidden:
        return Keep(wanted) if previous in {None, wanted} else Swap(wanted)
    if wanted in now.forbidden:
        return Forbidden(wanted)
    if wanted in now.failed:
        return _without(wanted, spare, None if other in now.failed else other)
    if spare is None or now.is_overdue:
        return Load(wanted, instead=spare)
    return Keep(spare) if wanted in now.loading else LoadBeside(spare, load=wanted)


def _without(failed: int, spare: int | None, other: int | None) -> Action:
    """Decide for a call whose version failed: `spare` is warm, `other` was warm before."""
    if spare is not None:
        return Keep(spare)
    return Quarantine(failed) if other is None else Load(other)


def find_unneeded(
    *, warm: Collection[int], answering: Collection[int], called_by_number: int | None
) -> frozenset[int]:
    """Return a model's warm versions to unload: all but those of labels and `called_by_number`.

    `answering`: the versions that answer a label and those that labels name (a version that was
    just loaded answers nothing before the next call). `called_by_number`: the version that was
    last called by its number.
    """
    return frozenset(warm) - frozenset(answering) - {called_by_number}


class EvictionCandidate(NamedTuple):
    """A warm version. `used_s`: when it last answered, on the monotonic clock."""

    model: str
    version: int
    n_bytes: int
    used_s: float
    is_replaced: bool = False
    """True for a version that answers until the load at hand replaces it."""


class Room(NamedTuple):
    """There is room after evicting these, in this order, and after earlier evictions are dropped.

    Without any to evict, there is room now, or when loads in progress have ended.
    """

    evict: tuple[EvictionCandidate, ...] = ()


class NeverFits(NamedTuple):
    """The load needs more memory than all versions may take together."""


def make_room(
    *, need_bytes: int, budget_bytes: int | None, used_bytes: int, warm: Sequence[EvictionCandidate]
) -> Room | NeverFits:
    """Decide which versions to evict so that a load may begin: as few as possible.

    `need_bytes`: the load's peak. `used_bytes`: the sum of all warm versions and of the peaks of
    loads in progress. Without a budget there is always room.
    """
    if budget_bytes is None:
        return Room()
    if need_bytes > budget_bytes:
        return NeverFits()
    if used_bytes + need_bytes > budget_bytes + sum(each.n_bytes for each in warm):
        return Room()
    evict: list[EvictionCandidate] = []
    for each in sorted(warm, key=lambda one: (one.is_replaced, one.used_s)):
        if used_bytes + need_bytes <= budget_bytes:
            break
        evict.append(each)
        used_bytes -= each.n_bytes
    return Room(tuple(evict))
