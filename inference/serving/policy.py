"""Decides what is done for a model, at most one thing at a time. Pure functions of values.

For one call (`decide`):

- The version that refs name answers as soon as it is warm: KEEP, or SWAP if another one did.
- Until then the one before goes on, while the new one loads: LOAD beside.
- A call waits (LOAD) only when nothing that may answer is warm: nothing was loaded yet, the one
  before is out of date for too long, or rule 6 (mapped_files.py) forbids its files.
- A version that failed is in quarantine: the one before stays, without any bound but rule 6. Where
  that one had to go to make room, it is loaded again; where there is none, the call is refused with
  the reason: QUARANTINE.
- A version whose golden cases have not run yet does not take over from one that answers.

For one load (`make_room`), once its need of memory is known:

- It fits beside all that is held: it begins.
- It fits when others go, the least recently used first: EVICT them.
- It fits only without the version that it replaces: that one goes last, and calls wait.
- Not even then, as other loads are under way: nobody goes, it waits for them to end.
- It never fits: that is an error of its own, with both numbers.

What is not here: loading, threads, clocks and the store (manager.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence


class Keep(NamedTuple):
    """This version answers; there is nothing to do."""

    version: int


class Swap(NamedTuple):
    """This version answers from now on, instead of another."""

    version: int


class LoadBeside(NamedTuple):
    """This version answers; another one loads meanwhile."""

    version: int
    load: int


class Load(NamedTuple):
    """Load this version, or join its loading, and wait.

    `instead` may answer if that takes longer than a call can wait: None where nothing may.
    """

    version: int
    instead: int | None = None


class Quarantine(NamedTuple):
    """This version failed, is not tried now, and nothing else may answer."""

    version: int


class Forbidden(NamedTuple):
    """Only what rule 6 forbids could answer: refs were not read for too long."""

    version: int


Action = Keep | Swap | LoadBeside | Load | Quarantine | Forbidden


class Situation(NamedTuple):
    """What deciding for one call looks at.

    `wanted` is the version that the call's label or number names now; `previous`, the one that
    answered that label last (None for a call by number: no other version may answer it).
    `failed` are in quarantine or out of service, `forbidden` must not run or be loaded now, by rule
    6. `untried` are warm, and their golden cases have not run yet.
    `is_overdue`: refs have named another version than `previous` for longer than callers accept.
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
    """Decide for one call."""
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
    """What answers instead of a version that failed: what is warm, else what was before it went."""
    if spare is not None:
        return Keep(spare)
    return Quarantine(failed) if other is None else Load(other)


def find_unneeded(
    *, warm: Collection[int], answering: Collection[int], called_by_number: int | None
) -> frozenset[int]:
    """Name a model's warm versions to let go: all but those that labels need, and one more.

    `answering` are those that answer a label, and those that labels name: one that has just been
    loaded answers nothing before the next call. `called_by_number` is the version that was last
    called by its number.
    """
    return frozenset(warm) - frozenset(answering) - {called_by_number}


class EvictionCandidate(NamedTuple):
    """One warm version in memory. `used_s`: when it last answered, on the monotonic clock."""

    model: str
    version: int
    n_bytes: int
    used_s: float
    is_replaced: bool = False
    """It is the version that the load at hand replaces, and answers until then."""


class Room(NamedTuple):
    """There is room once these are let go, in this order, and what was let go before is gone.

    With nobody to let go, there may be room now, or once a load that is under way has ended.
    """

    evict: tuple[EvictionCandidate, ...] = ()


class NeverFits(NamedTuple):
    """It needs more than there is for all versions together."""


def make_room(
    *, need_bytes: int, budget_bytes: int | None, used_bytes: int, warm: Sequence[EvictionCandidate]
) -> Room | NeverFits:
    """Decide what goes so that a load may begin: as few as possible.

    `need_bytes`: what it takes at its peak. `used_bytes`: what all warm versions take, and the
    peaks of loads under way. No budget: there is room.
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
