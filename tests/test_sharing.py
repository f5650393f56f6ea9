"""Tests that stay together when several processes run them."""

from __future__ import annotations

from tests.sharing import SHARED
from tests.support.places import ROOT


def test_every_place_is_there() -> None:
    missing = [
        place for places in SHARED.values() for place in places if not (ROOT / place).exists()
    ]
    assert not missing


def test_all_who_ask_for_the_large_set_share_it() -> None:
    """It takes a minute to make."""
    asking = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "tests" / "package_sets").glob("test_*.py")
        if "large_set: LargeSet" in path.read_text("utf-8")
    }
    assert asking
    assert asking <= {*SHARED["packages"]}
