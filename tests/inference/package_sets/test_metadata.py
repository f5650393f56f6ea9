"""A set's distributions are found once, also beside a backport that finds them itself."""

from __future__ import annotations

import importlib.metadata
import sys
from typing import TYPE_CHECKING

import pytest

from inference.package_sets.active_sets import PackageSets
from model_store.package_set import Target
from model_sync.package_sets.publish import publish_wheels
from model_sync.progress import Silent
from model_sync.store_io.create_store import open_store
from tests.support.wheels import write_wheel

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NAME = "found_once"


@pytest.fixture
def use_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(sys, "path_hooks", [*sys.path_hooks])
    layout = open_store(tmp_path / "store")
    wheel = write_wheel(tmp_path / "wheels", NAME)
    digest = publish_wheels((wheel,), layout, Target.running(), Silent())[0].digest

    def use() -> None:
        with PackageSets().use(layout, digest, "this test"):
            pass

    return use


def take_out_pythons_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """As importlib_metadata does when it is imported, which then has a finder of its own."""
    for finder in sys.meta_path:
        module = getattr(finder, "__module__", None)
        if module == "_frozen_importlib_external" and hasattr(finder, "find_distributions"):
            monkeypatch.delattr(finder, "find_distributions")


def found() -> list[str]:
    return [each.name for each in importlib.metadata.distributions() if each.name == NAME]


def test_they_are_found_once(use_set: Callable[[], None]) -> None:
    use_set()
    assert found() == [NAME]


@pytest.mark.parametrize("comes_first", [True, False])
def test_they_are_left_to_a_backport(
    use_set: Callable[[], None], monkeypatch: pytest.MonkeyPatch, *, comes_first: bool
) -> None:
    if comes_first:
        take_out_pythons_own(monkeypatch)
        use_set()
    else:
        use_set()
        take_out_pythons_own(monkeypatch)
    assert found() == []
