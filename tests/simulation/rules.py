"""The bounds of deletion, each of which can be taken out of the simulation by its name."""

from __future__ import annotations

from typing import NamedTuple


class Rules(NamedTuple):
    """All in force, unless one is replaced by False."""

    # The readers' side.
    run_ends_before_sweep_after: bool = True
    invocation_counts_its_remaining_time: bool = True
    margin_for_clocks: bool = True
    checks_grow_old: bool = True
    longest_invocation_is_taken_off: bool = True
    elapsed_is_the_larger_clock: bool = True
    refs_are_read_upward: bool = True
    deleted_is_not_loaded: bool = True
    background_work_asks_again: bool = True
    environments_lean_on_their_sets: bool = True
    # The sweep's side.
    only_retired_is_swept: bool = True
    sweep_after_is_waited_for: bool = True
    retirement_is_waited_for_from_its_link: bool = True
    holds_are_honoured: bool = True
    versions_before_are_kept: bool = True
    sweep_decides_on_the_newest_refs: bool = True
    unnamed_folders_wait_a_day: bool = True
    sweep_wins_a_generation_before_it_moves_folders: bool = True
    sets_are_kept_while_pinned: bool = True
    unused_sets_wait_a_day: bool = True
    sweep_looks_again_after_its_claim: bool = True
    # The publishers' side.
    publishers_name_nothing_old: bool = True
    publishers_take_the_mark_away: bool = True
    publishers_look_at_their_set_again: bool = True
