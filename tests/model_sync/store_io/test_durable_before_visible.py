"""Whatever appears to readers was durable before, and its name is when publishing returns."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from model_store.layout import StoreLayout
from model_store.reading import read_upward
from tests.support.durability import Appearances
from tests.support.model_folders import write_full
from tests.support.models import write_external_adder

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from tests.model_sync.conftest import Publish


def test_every_file_and_folder_of_a_version_is_durable_before_it_appears(
    tmp_path: Path, publish_to: Publish, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_full(tmp_path / "adder")
    write_external_adder(folder, np.ones(2), "weights.bin")
    (folder / "golden" / "one" / "expected.json").write_text('{"y": [2.0, 3.0]}')
    store = StoreLayout(tmp_path / "store")
    appearances = Appearances(monkeypatch)
    publish_to(folder)
    refs = read_upward(store.model("adder"))
    assert refs
    entry = refs.versions[1]
    assert set(appearances.names) == {
        "store",
        "STORE.json",
        *entry.preparations.values(),
        entry.id,
        "MODEL.json",
        "1.json",
        "refs.json",
    }
    assert appearances.lacking == []
    assert appearances.lost(store.root) == []
