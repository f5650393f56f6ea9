from __future__ import annotations

import inspect
import sys
from itertools import product
from typing import TYPE_CHECKING, Any

import pytest

from inference.serving import policy
from inference.serving.policy import (
    Action,
    EvictionCandidate,
    Forbidden,
    Keep,
    Load,
    LoadBeside,
    NeverFits,
    Quarantine,
    Room,
    Situation,
    Swap,
    decide,
    find_unneeded,
    make_room,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

OLD, NEW = 1, 2
NONE: frozenset[int] = frozenset()
BOTH = frozenset({OLD, NEW})

CASES: dict[str, tuple[dict[str, Any], Action]] = {
    "warm, and the first of its label": ({"warm": {NEW}}, Keep(NEW)),
    "warm, and answers already": ({"previous": NEW, "warm": {NEW}}, Keep(NEW)),
    "warm, and another answered": ({"previous": OLD, "warm": BOTH}, Swap(NEW)),
    "warm, and the other was let go": ({"previous": OLD, "warm": {NEW}}, Swap(NEW)),
    "warm, though its contents failed once": ({"warm": {NEW}, "failed": {NEW}}, Keep(NEW)),
    "warm, and the one before is forbidden": (
        {"previous": OLD, "warm": BOTH, "forbidden": {OLD}},
        Swap(NEW),
    ),
    "cold": ({}, Load(NEW)),
    "cold, and loading": ({"loading": {NEW}}, Load(NEW)),
    "cold, and only another label's version is warm": ({"warm": {OLD}}, Load(NEW)),
    "cold, and the one before was let go": ({"previous": OLD}, Load(NEW)),
    "cold, and another one failed": ({"failed": {OLD}}, Load(NEW)),
    "cold, and failed": ({"failed": {NEW}}, Quarantine(NEW)),
    "cold, failed, and the one before went to make room": (
        {"previous": OLD, "failed": {NEW}},
        Load(OLD),
    ),
    "cold, failed, and so did the one before": ({"previous": OLD, "failed": BOTH}, Quarantine(NEW)),
    "cold, failed, and the one before is forbidden": (
        {"previous": OLD, "failed": {NEW}, "forbidden": {OLD}},
        Quarantine(NEW),
    ),
    "warm and untried": ({"warm": {NEW}, "untried": {NEW}}, Keep(NEW)),
    "warm and untried, and another answers": (
        {"previous": OLD, "warm": BOTH, "untried": {NEW}},
        Keep(OLD),
    ),
    "warm and untried, and the one before is forbidden": (
        {"previous": OLD, "warm": BOTH, "untried": {NEW}, "forbidden": {OLD}},
        Swap(NEW),
    ),
    "cold, and refs are too old": ({"forbidden": {NEW}}, Forbidden(NEW)),
    "superseded": ({"previous": OLD, "warm": {OLD}}, LoadBeside(OLD, load=NEW)),
    "superseded, and the new one is loading": (
        {"previous": OLD, "warm": {OLD}, "loading": {NEW}},
        Keep(OLD),
    ),
    "superseded, and another one is loading": (
        {"previous": OLD, "warm": {OLD}, "loading": {3}},
        LoadBeside(OLD, load=NEW),
    ),
    "superseded, and the new one failed": (
        {"previous": OLD, "warm": {OLD}, "failed": {NEW}},
        Keep(OLD),
    ),
    "overdue": ({"previous": OLD, "warm": {OLD}, "is_overdue": True}, Load(NEW, instead=OLD)),
    "overdue, and loading": (
        {"previous": OLD, "warm": {OLD}, "loading": {NEW}, "is_overdue": True},
        Load(NEW, instead=OLD),
    ),
    "overdue, and the new one failed": (
        {"previous": OLD, "warm": {OLD}, "failed": {NEW}, "is_overdue": True},
        Keep(OLD),
    ),
    "overdue, and the new one is warm": (
        {"previous": OLD, "warm": BOTH, "is_overdue": True},
        Swap(NEW),
    ),
    "superseded, and forbidden": ({"previous": OLD, "warm": {OLD}, "forbidden": {OLD}}, Load(NEW)),
    "superseded, forbidden, and the new one failed": (
        {"previous": OLD, "warm": {OLD}, "forbidden": {OLD}, "failed": {NEW}},
        Quarantine(NEW),
    ),
    "refs are too old, and the one before maps nothing": (
        {"previous": OLD, "warm": {OLD}, "forbidden": {NEW}},
        Keep(OLD),
    ),
    "refs are too old, and it maps files": (
        {"previous": NEW, "warm": {NEW}, "forbidden": {NEW}},
        Forbidden(NEW),
    ),
}


@pytest.mark.parametrize(("state", "expected"), CASES.values(), ids=CASES)
def test_a_call_is_decided_by_the_table(state: dict[str, Any], expected: Action) -> None:
    action = decide(Situation(NEW, **state))
    assert (type(action), action) == (type(expected), expected)


def every_situation() -> list[Situation]:
    some = [NONE, {OLD}, {NEW}, BOTH]
    return [
        Situation(NEW, previous, warm, loading, failed, forbidden, overdue, untried)
        for previous, warm, loading, failed, forbidden, overdue, untried in product(
            [None, OLD, NEW], some, [NONE, {NEW}], some, some, [False, True], [NONE, {NEW}]
        )
    ]


def test_nothing_that_is_cold_or_forbidden_answers_in_any_situation() -> None:
    for now in every_situation():
        action = decide(now)
        if isinstance(action, Keep | Swap | LoadBeside):
            assert action.version in now.warm, now
            assert action.version not in now.forbidden, now
            assert action.version in {NEW, now.previous}, now


def test_what_may_answer_answers_in_every_situation() -> None:
    for now in every_situation():
        action = decide(now)
        spare = now.previous in set(now.warm) - set(now.forbidden) - {NEW}
        if NEW in now.warm and NEW not in now.forbidden and not (NEW in now.untried and spare):
            assert isinstance(action, Keep | Swap), now
            assert action.version == NEW, now
        elif isinstance(action, Quarantine | Forbidden | Load) and not now.is_overdue:
            assert now.previous not in set(now.warm) - set(now.forbidden), now


def test_nothing_that_failed_or_is_forbidden_is_loaded_in_any_situation() -> None:
    for now in every_situation():
        action = decide(now)
        loads = None
        if isinstance(action, Load):
            loads = action.version
        elif isinstance(action, LoadBeside):
            loads = action.load
        assert loads not in now.failed, now
        assert loads not in now.forbidden, now


FREED: dict[str, tuple[set[int] | frozenset[int], list[int], int | None, set[int] | frozenset[int]]]
FREED = {
    "nothing is warm": (NONE, [], None, NONE),
    "all answer": ({1, 2}, [1, 2], None, NONE),
    "one answers": ({1, 2}, [2], None, {1}),
    "none answers": ({1, 2}, [], None, {1, 2}),
    "one was asked by number": ({1, 2, 3}, [3], 1, {2}),
    "the one asked by number answers, too": ({1, 2}, [1], 1, {2}),
    "one that is not warm answers": ({1}, [2], 3, {1}),
}


@pytest.mark.parametrize(("warm", "answering", "asked", "freed"), FREED.values(), ids=FREED)
def test_what_nobody_needs_is_let_go(
    warm: set[int], answering: list[int], asked: int | None, freed: set[int]
) -> None:
    assert find_unneeded(warm=warm, answering=answering, called_by_number=asked) == freed


A = EvictionCandidate("a", 1, 40, used_s=1.0)
B = EvictionCandidate("b", 1, 30, used_s=2.0)
C = EvictionCandidate("c", 1, 20, used_s=3.0)
REPLACED = EvictionCandidate("d", 1, 50, used_s=0.0, is_replaced=True)

ROOM: dict[str, tuple[int, int | None, int, list[EvictionCandidate], Room | NeverFits]] = {
    "no budget": (1000, None, 10**9, [A, B, C], Room()),
    "it fits beside all": (10, 100, 90, [A, B, C], Room()),
    "it fits to the byte": (100, 100, 0, [], Room()),
    "a byte too much for all there is": (101, 100, 0, [], NeverFits()),
    "the least recently used goes": (20, 100, 90, [C, B, A], Room((A,))),
    "as few as possible go": (60, 100, 90, [C, B, A], Room((A, B))),
    "all go": (100, 100, 90, [B, C, A], Room((A, B, C))),
    "what it replaces goes last": (60, 140, 140, [REPLACED, A, B, C], Room((A, B))),
    "what it replaces goes": (80, 140, 140, [REPLACED, A, B], Room((A, B, REPLACED))),
    "none goes where that is not enough, as loads under way have the rest": (
        50, 100, 100, [A], Room(),
    ),
    "loads under way have all": (50, 100, 100, [], Room()),
}  # fmt: skip


@pytest.mark.parametrize(("need", "budget", "used", "warm", "expected"), ROOM.values(), ids=ROOM)
def test_room_is_made_by_the_table(
    need: int,
    budget: int | None,
    used: int,
    warm: list[EvictionCandidate],
    expected: Room | NeverFits,
) -> None:
    found = make_room(need_bytes=need, budget_bytes=budget, used_bytes=used, warm=warm)
    assert (type(found), found) == (type(expected), expected)


def test_every_line_of_the_policy_is_reached_from_the_tables() -> None:
    functions: list[Callable[..., Any]] = [decide, policy._without, find_unneeded, make_room]
    # The lines that hold code, less each function's own `def`.
    wanted = {
        line
        for function in functions
        for _, _, line in function.__code__.co_lines()
        if line is not None and line != function.__code__.co_firstlineno
    }
    reached: set[int] = set()

    def trace(frame: FrameType, event: str, _: object) -> Any:
        if inspect.getsourcefile(frame) == policy.__file__:
            reached.add(frame.f_lineno)
            return trace
        return None

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        for state, _ in CASES.values():
            decide(Situation(NEW, **state))
        for warm, answering, asked, _ in FREED.values():
            find_unneeded(warm=warm, answering=answering, called_by_number=asked)
        for need, budget, used, held, _ in ROOM.values():
            make_room(need_bytes=need, budget_bytes=budget, used_bytes=used, warm=held)
    finally:
        sys.settrace(before)
    assert wanted <= reached
