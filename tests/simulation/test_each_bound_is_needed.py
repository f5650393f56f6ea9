"""Each bound of deletion, taken out, lets something be swept that is in use; with it, nothing is.

A schedule a bound, as short as it can be and run by the same simulation. Versions are counted from
the newest: in most of these, 3 is the first version, which a reader loaded while latest named it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from model_store.refs import GRACE_S
from model_sync.refs.model_removal import PLACED_S
from tests.simulation.rules import Rules
from tests.simulation.world import HOUR, World

if TYPE_CHECKING:
    from tests.simulation.world import Action

DAY: Final = float(GRACE_S)
OLD: Final = 3

_LOADED: Final[list[Action]] = [("wait", 61.0), ("check", 0), ("call", 0, 1.0), ("wait", 61.0)]
_SUPERSEDED: Final[list[Action]] = [("publish",), ("publish",), ("publish",)]
_KEPT: Final[list[Action]] = [*_LOADED, *_SUPERSEDED, ("break_latest",)]
"""A reader goes on with the first version: the newest is broken."""

SCHEDULES: Final[dict[str, list[Action]]] = {
    "run_ends_before_sweep_after": [
        *_KEPT, ("retire", OLD), ("wait", DAY - 500), ("check", 0), ("call", 0), ("wait", 600.0),
        ("sweep",),
    ],
    "invocation_counts_its_remaining_time": [
        *_KEPT, ("retire", OLD), ("wait", DAY - 450), ("check", 0), ("call", 0), ("wait", 600.0),
        ("sweep",),
    ],
    "margin_for_clocks": [
        # Its clock is 100 s behind, the sweep's a minute ahead.
        *_KEPT, ("retire", OLD), ("wait", DAY - 805), ("check", 0), ("call", 0), ("wait", 760.0),
        ("sweep", 60.0),
    ],
    "checks_grow_old": [
        *_KEPT, ("retire", OLD), ("wait", DAY + 10), ("sweep",), ("call", 0),
    ],
    "longest_invocation_is_taken_off": [
        *_KEPT, ("retire", OLD), ("wait", DAY - 400), ("call", 0), ("wait", 410.0), ("sweep",),
    ],
    "elapsed_is_the_larger_clock": [
        # Its monotonic clock stood still while it was frozen.
        *_KEPT, ("retire", OLD), ("wait", DAY + 10), ("sweep",), ("call", 0),
    ],
    "refs_are_read_upward": [
        # The writer that retired it ended before it settled.
        *_KEPT, ("retire", OLD, False), ("wait", DAY / 2), ("check", 0), ("wait", DAY / 2 + 10),
        ("sweep",), ("call", 0),
    ],
    "deleted_is_not_loaded": [
        *_SUPERSEDED, ("retire", OLD), ("wait", DAY + 10), ("sweep_begins",), ("sweep_wins",),
        ("wait", 61.0), ("check", 0), ("call", 0, 900.0, OLD), ("sweep_moves",),
    ],
    "background_work_asks_again": [
        ("wait", 61.0), ("check", 0), ("begin_load", 0), *_SUPERSEDED, ("retire", OLD),
        ("wait", DAY + 10), ("sweep",), ("load_step", 0),
    ],
    "environments_lean_on_their_sets": [
        ("publish", "A"), *_LOADED, *_SUPERSEDED, ("wait", 61.0), ("check", 0), ("call", 0, 1.0),
        ("retire", OLD), ("wait", DAY + 10), ("sweep",), ("sweep",), ("wait", DAY + 10),
        ("sweep",), ("check", 0), ("call", 0),
    ],
    "only_retired_is_swept": [*_KEPT, ("sweep",), ("call", 0)],
    "sweep_after_is_waited_for": [*_KEPT, ("retire", OLD), ("sweep",), ("call", 0)],
    "retirement_is_waited_for_from_its_link": [
        # The machine that retired it slept for a day before its link.
        *_KEPT, ("retire_late", OLD, DAY + 10), ("sweep",), ("call", 0),
    ],
    "holds_are_honoured": [
        *_SUPERSEDED, ("retire", OLD), ("hold", OLD, 48), ("wait", DAY + 10), ("sweep",),
    ],
    "versions_before_are_kept": [
        ("publish",), ("retire", 1), ("wait", DAY + 10), ("sweep",), ("roll_back",),
    ],
    "sweep_decides_on_the_newest_refs": [
        *_SUPERSEDED, ("retire", OLD), ("wait", DAY + 10), ("sweep_begins",), ("promote", OLD),
        ("wait", 61.0), ("check", 0), ("call", 0), ("sweep_wins",), ("sweep_moves",),
    ],
    "unnamed_folders_wait_a_day": [("place",), ("wait", HOUR), ("sweep",), ("look",), ("link",)],
    "sweep_wins_a_generation_before_it_moves_folders": [
        ("place",), ("wait", PLACED_S - 60), ("look",), ("wait", DAY), ("sweep",), ("link",),
    ],
    "publishers_name_nothing_old": [
        ("place",), ("wait", DAY + 10), ("sweep_begins",), ("sweep_wins",), ("look",),
        ("sweep_moves",), ("link",),
    ],
    "sets_are_kept_while_pinned": [
        ("publish", "A"), *_LOADED, ("sweep",), ("wait", DAY + 10), ("sweep",), ("check", 0),
        ("call", 0),
    ],
    "unused_sets_wait_a_day": [("place", "A"), ("wait", HOUR), ("sweep",), ("look",), ("link",)],
    "sweep_looks_again_after_its_claim": [
        # The publisher slept for a day between its last look and its link; its clock is ahead.
        ("place", "A", 2 * HOUR), ("look",), ("sweep",), ("wait", DAY + 10), ("sweep_begins",),
        ("link",), ("sweep_wins",), ("sweep_moves",),
    ],
    "publishers_take_the_mark_away": [
        ("sweep",), ("wait", DAY - HOUR), ("place", "A"), ("wait", 2 * HOUR), ("sweep",),
        ("look",), ("link",),
    ],
    "publishers_look_at_their_set_again": [
        ("place", "A", 2 * HOUR), ("look",), ("sweep",), ("wait", DAY + 10), ("sweep",), ("link",),
    ],
}  # fmt: skip


@pytest.mark.parametrize("bound", Rules._fields)
def test_without_it_something_in_use_is_swept(bound: str) -> None:
    without = Rules()._replace(**{bound: False})
    assert World(without).run(SCHEDULES[bound]).violations


@pytest.mark.parametrize("bound", Rules._fields)
def test_with_it_nothing_in_use_is_swept(bound: str) -> None:
    assert World().run(SCHEDULES[bound]).violations == []
