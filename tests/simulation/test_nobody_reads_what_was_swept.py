"""Readers, publishers and sweeps on one clock: no reader needs a swept file."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Final

from hypothesis import given, settings
from hypothesis import strategies as st

from model_store.refs import GRACE_S
from model_sync.refs.model_removal import PLACED_S
from tests.simulation.world import HOUR, World

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.simulation.world import Action

# Times at which bounds bite, to either side.
_SECONDS: Final = (
    1.0, 59.0, 301.0, 899.0, HOUR, PLACED_S - 60.0, PLACED_S + 60.0, GRACE_S - 1300.0,
    GRACE_S - 1100.0, GRACE_S - 901.0, GRACE_S - 301.0, GRACE_S - 1.0, GRACE_S + 1.0,
    GRACE_S + 61.0, GRACE_S + 901.0, 2.0 * GRACE_S,
)  # fmt: skip


def _reader(random: Random) -> int:
    return random.randrange(2)


def _version(random: Random) -> int:
    return random.randrange(5)


def _seconds(random: Random) -> float:
    return random.choice(_SECONDS)


def _duration(random: Random) -> float:
    return random.choice([0.02, 30.0, 900.0])


def _set(random: Random) -> str | None:
    return random.choice([None, "A", "B"])


def _skew(random: Random) -> float:
    return random.choice([-60.0, 0.0, 60.0])


def _settles(random: Random) -> bool:
    return random.random() < 0.7


def _hours(random: Random) -> int:
    return random.randrange(1, 49)


# How often each, and what it is given.
_ACTIONS: Final[list[tuple[int, str, tuple[Callable[[Random], object], ...]]]] = [
    (22, "wait", (_seconds,)),
    (10, "check", (_reader,)),
    (12, "call", (_reader, _duration)),
    (6, "call", (_reader, _duration, _version)),
    (3, "begin_load", (_reader,)),
    (3, "load_step", (_reader,)),
    (2, "break_latest", ()),
    (2, "lose_mount", (_seconds,)),
    (6, "publish", (_set,)),
    (3, "place", (_set, _skew)),
    (2, "look", ()),
    (2, "link", ()),
    (2, "promote", (_version,)),
    (6, "retire", (_version, _settles)),
    (2, "retire_late", (_version, _seconds)),
    (2, "roll_back", ()),
    (1, "settle", ()),
    (2, "hold", (_version, _hours)),
    (1, "release", ()),
    (6, "sweep", (_skew,)),
    (2, "sweep_begins", (_skew,)),
    (2, "sweep_wins", ()),
    (2, "sweep_moves", ()),
]


def _schedule(seed: int) -> list[Action]:
    random = Random(seed)  # noqa: S311 - no secret
    chosen = random.choices(_ACTIONS, [often for often, _, _ in _ACTIONS], k=80)
    return [(name, *(take(random) for take in taken)) for _, name, taken in chosen]


@settings(max_examples=400, deadline=None, derandomize=True)
@given(st.integers(0, 2**62))
def test_whatever_happens_nobody_reads_what_was_swept(seed: int) -> None:
    schedule = _schedule(seed)
    assert World().run(schedule).violations == [], schedule
