from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from model_store import documents
from model_store.errors import DamagedError, NotFoundError, StoreUnreachableError
from model_store.layout import StoreLayout
from model_store.reading import has_models, list_models, read_model_id, read_store_id, refresh
from tests.support.documents import STORE_ID, refs_of, write_generations

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from model_store.layout import ModelLayout

READINGS: list[Callable[[StoreLayout], object]] = [
    read_store_id,
    list_models,
    has_models,
    lambda store: refresh(store, "adder", None),
]


def test_a_store_has_an_id(empty_store: StoreLayout) -> None:
    assert read_store_id(empty_store) == STORE_ID


def test_a_store_may_be_reached_through_a_link(empty_store: StoreLayout, tmp_path: Path) -> None:
    (tmp_path / "mount").symlink_to(empty_store.root)
    assert read_store_id(StoreLayout(tmp_path / "mount")) == STORE_ID


@pytest.mark.parametrize("read", READINGS)
def test_a_missing_store_json_is_not_an_empty_store(
    empty_store: StoreLayout, model: ModelLayout, read: Callable[[StoreLayout], object]
) -> None:
    refs = refs_of(1)
    write_generations(model, refs, newest=refs)
    empty_store.store_json.unlink()
    with pytest.raises(StoreUnreachableError, match="is the file system mounted"):
        read(empty_store)


@pytest.mark.parametrize("read", READINGS)
@pytest.mark.parametrize("there", ["nothing", "an empty folder", "a file", "a link to nothing"])
def test_where_no_store_is_there_is_none(
    tmp_path: Path, there: str, read: Callable[[StoreLayout], object]
) -> None:
    root = tmp_path / "root"
    if there == "an empty folder":
        root.mkdir()
    elif there == "a file":
        root.write_text("")
    elif there == "a link to nothing":
        root.symlink_to(tmp_path / "nothing")
    with pytest.raises(StoreUnreachableError, match=str(root)):
        read(StoreLayout(root))


@pytest.mark.parametrize(
    "data",
    [b"", b"{}", b'{"format": 1}', b'{"format": 1, "id": 7}', b'{"format": 1, "id": "a", "b": 1}'],
)
def test_a_damaged_store_json_is_named(empty_store: StoreLayout, data: bytes) -> None:
    empty_store.store_json.write_bytes(data)
    with pytest.raises(DamagedError, match=r"STORE\.json"):
        read_store_id(empty_store)


def test_a_store_json_that_cannot_be_read_means_that_the_store_cannot(
    empty_store: StoreLayout,
) -> None:
    empty_store.store_json.unlink()
    empty_store.store_json.mkdir()
    with pytest.raises(StoreUnreachableError, match=r"STORE\.json cannot be read: Is a directory"):
        read_store_id(empty_store)


def test_a_model_has_an_id(model: ModelLayout) -> None:
    model.model_json.write_bytes(documents.render({"format": 1, "id": "the-id"}))
    assert read_model_id(model) == "the-id"


def test_a_model_without_an_id_is_not_found(model: ModelLayout) -> None:
    with pytest.raises(NotFoundError, match=r"MODEL\.json is missing"):
        read_model_id(model)


@pytest.mark.parametrize("data", [b"", b'{"format": 1}', b'{"format": 1, "id": "a", "b": 1}'])
def test_a_damaged_model_json_is_named(model: ModelLayout, data: bytes) -> None:
    model.model_json.write_bytes(data)
    with pytest.raises(DamagedError, match=r"MODEL\.json"):
        read_model_id(model)


def test_a_model_json_that_cannot_be_read_is_not_a_missing_one(model: ModelLayout) -> None:
    model.model_json.mkdir()
    with pytest.raises(StoreUnreachableError, match=r"MODEL\.json cannot be read"):
        read_model_id(model)
