"""Whatever readers, publishers and sweeps do on one clock, nobody reads what was swept."""

from __future__ import annotations

from typing import Final

from hypothesis import given, settings
from hypothesis import strategies as st

from model_store.refs import GRACE_S
from model_sync.removal import PLACED_S
from tests.simulation.world import HOUR, World

# Times at which bounds bite, and what lies between them.
_SECONDS: Final = st.sampled_from(
    [1.0, 59.0, 301.0, 899.0, 901.0, HOUR, PLACED_S - 60.0, PLACED_S + 60.0]
    + [GRACE_S + more for more in (-1300.0, -1100.0, -901.0, -301.0, -1.0, 1.0, 61.0, 901.0)]
) | st.floats(1.0, 2.0 * GRACE_S)
_READER: Final = st.integers(0, 1)
_VERSION: Final = st.integers(0, 3)
_SET: Final = st.sampled_from([None, "A", "B"])
_SKEW_S: Final = st.sampled_from([-60.0, 0.0, 60.0])


def _action(
    name: str, *arguments: st.SearchStrategy[object]
) -> st.SearchStrategy[tuple[object, ...]]:
    return st.tuples(st.just(name), *arguments)


ACTIONS: Final = st.lists(
    st.one_of(
        _action("wait", _SECONDS),
        _action("wait", _SECONDS),
        _action("check", _READER),
        _action("call", _READER, st.sampled_from([0.02, 30.0, 900.0])),
        _action("call", _READER, st.just(900.0), _VERSION),
        _action("begin_load", _READER),
        _action("load_step", _READER),
        _action("break_latest"),
        _action("lose_mount", _SECONDS),
        _action("publish", _SET),
        _action("place", _SET),
        _action("look"),
        _action("link"),
        _action("promote", _VERSION),
        _action("retire", _VERSION, st.booleans()),
        _action("retire_late", _VERSION, _SECONDS),
        _action("roll_back"),
        _action("settle"),
        _action("hold", _VERSION, st.integers(1, 48)),
        _action("release"),
        _action("sweep", _SKEW_S),
        _action("sweep_begins", _SKEW_S),
        _action("sweep_wins"),
        _action("sweep_moves"),
    ),
    min_size=20,
    max_size=80,
)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(ACTIONS)
def test_whatever_happens_nobody_reads_what_was_swept(actions: list[tuple[object, ...]]) -> None:
    assert World().run(actions).violations == []
