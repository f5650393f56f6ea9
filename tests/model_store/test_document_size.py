"""A document has a limit: a larger one is neither written nor read into memory."""

from __future__ import annotations

import os
import tracemalloc
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from model_store import documents
from model_store.documents import MAX_DOCUMENT_BYTES
from model_store.errors import DamagedError
from model_store.files import read_beneath
from model_store.reading import (
    read_model_id,
    read_package_set,
    read_preparation,
    read_store_id,
    read_upward,
    read_version,
)
from tests.support.documents import (
    ENTRY,
    PACKAGE_SET,
    PREPARATION_ID,
    RUNTIME,
    VERSION_ID,
    write_generations,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from model_store.layout import StoreLayout

READINGS: dict[str, Callable[[StoreLayout], object]] = {
    "STORE.json": read_store_id,
    "models/adder/MODEL.json": lambda store: read_model_id(store.model("adder")),
    "models/adder/refs.json": lambda store: read_upward(store.model("adder")),
    "models/adder/refs/1.json": lambda store: read_upward(store.model("adder")),
    f"models/adder/versions/{VERSION_ID}/manifest.json": lambda store: read_version(
        store, "adder", ENTRY
    ),
    f"models/adder/preparations/{PREPARATION_ID}/manifest.json": lambda store: read_preparation(
        store, "adder", ENTRY, RUNTIME
    ),
    f"packages/{PACKAGE_SET.digest.hex}/manifest.json": lambda store: read_package_set(
        store, PACKAGE_SET.digest
    ),
}


@pytest.mark.parametrize(("name", "read"), READINGS.items(), ids=READINGS)
def test_a_document_past_the_limit_is_damage_and_is_not_read(
    empty_store: StoreLayout, name: str, read: Callable[[StoreLayout], object]
) -> None:
    write_generations(empty_store.model("adder"), newest=None)
    path = empty_store.root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    os.truncate(path, MAX_DOCUMENT_BYTES + 1)  # of holes: it takes no room
    tracemalloc.start()
    try:
        with pytest.raises(DamagedError, match="is larger than 67108864 bytes") as caught:
            read(empty_store)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert str(path) in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1
    assert peak_bytes < MAX_DOCUMENT_BYTES / 16


@pytest.mark.parametrize("size", [0, 1, 5])
def test_a_file_up_to_the_limit_is_read(tmp_path: Path, size: int) -> None:
    (tmp_path / "file").write_bytes(b"x" * size)
    assert read_beneath(tmp_path, "file", 5) == b"x" * size


def test_a_file_that_is_read_in_parts_is_whole(tmp_path: Path) -> None:
    data = os.urandom(3 << 20)
    (tmp_path / "file").write_bytes(data)
    assert read_beneath(tmp_path, "file", len(data)) == data
    with pytest.raises(DamagedError, match=f"file is larger than {len(data) - 1} bytes"):
        read_beneath(tmp_path, "file", len(data) - 1)


def test_a_file_that_states_less_than_it_holds_is_held_to_the_limit() -> None:
    with pytest.raises(DamagedError, match="status is larger than 10 bytes"):
        read_beneath(Path("/proc/self"), "status", 10)


def test_a_document_that_could_not_be_read_is_not_written(monkeypatch: pytest.MonkeyPatch) -> None:
    data = documents.render({"a": 1})
    monkeypatch.setattr(documents, "MAX_DOCUMENT_BYTES", len(data))
    assert documents.render({"a": 1}) == data
    with pytest.raises(ValueError, match=f"of {len(data) + 1} bytes is refused: the limit is"):
        documents.render({"a": 10})
