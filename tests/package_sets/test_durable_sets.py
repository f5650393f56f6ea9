"""A package set is durable before it appears, and its name when publishing it returns."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from model_store.package_set import Target
from model_sync.package_sets.publish import publish_wheels
from model_sync.progress import Silent
from tests.support.durability import Appearances
from tests.support.wheels import write_wheel

if TYPE_CHECKING:
    from pathlib import Path

    from model_store.layout import StoreLayout


@pytest.mark.parametrize("n_more", [0, 100], ids=["few", "many: by threads"])
def test_every_file_and_folder_of_a_set_is_durable_before_it_appears(
    layout: StoreLayout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, n_more: int
) -> None:
    files = {"tool/deep/er/module.py": "X = 1\n", "tool/empty.txt": "", "one.py": ""}
    files |= {f"tool/many/{number}.txt": f"{number}" for number in range(n_more)}
    wheel = write_wheel(tmp_path / "wheels", "tool", files=files)
    appearances = Appearances(monkeypatch)
    manifest, _ = publish_wheels((wheel,), layout, Target.running(), Silent())
    assert appearances.names == [manifest.digest.hex]
    assert appearances.lacking == []
    assert appearances.lost(layout.packages) == []
