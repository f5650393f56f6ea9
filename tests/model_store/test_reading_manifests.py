from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from model_store.digests import Digest
from model_store.errors import DamagedError, NotFoundError, StoreUnreachableError
from model_store.reading import read_preparation, read_version
from tests.support.documents import (
    CONTENT,
    ENTRY,
    PREPARATION,
    PREPARATION_ID,
    RUNTIME,
    VERSION,
    VERSION_ID,
)

if TYPE_CHECKING:
    from pathlib import Path

    from model_store.layout import ModelLayout, StoreLayout

OTHER_ID = "20270101T000000Z-000000000000"


@pytest.fixture
def version_file(model: ModelLayout) -> Path:
    folder = model.version(VERSION_ID)
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_bytes(VERSION.render())
    return folder / "manifest.json"


@pytest.fixture
def preparation_file(model: ModelLayout) -> Path:
    folder = model.preparation(PREPARATION_ID)
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_bytes(PREPARATION.render())
    return folder / "manifest.json"


@pytest.mark.usefixtures("version_file")
def test_a_version_is_what_refs_name(empty_store: StoreLayout) -> None:
    assert read_version(empty_store, "adder", ENTRY) == VERSION


@pytest.mark.parametrize(
    "changes",
    [
        {"model": "other"},
        {"id": OTHER_ID},
        {"content": CONTENT._replace(pipeline_file=None)},
    ],
    ids=["model", "id", "contents"],
)
def test_a_version_that_is_not_what_refs_name_is_damage(
    empty_store: StoreLayout, version_file: Path, changes: dict[str, Any]
) -> None:
    version_file.write_bytes(VERSION._replace(**changes).render())
    with pytest.raises(DamagedError, match="is not the manifest that refs name"):
        read_version(empty_store, "adder", ENTRY)


@pytest.mark.usefixtures("version_file")
def test_refs_that_state_another_digest_make_a_version_damaged(empty_store: StoreLayout) -> None:
    entry = ENTRY._replace(digest=Digest.of_bytes(b"other"))
    with pytest.raises(DamagedError, match="is not the manifest that refs name"):
        read_version(empty_store, "adder", entry)


def test_a_version_without_its_manifest_is_not_found(empty_store: StoreLayout) -> None:
    with pytest.raises(NotFoundError, match=r"manifest\.json is missing"):
        read_version(empty_store, "adder", ENTRY)


def test_a_manifest_that_cannot_be_read_is_no_missing_one(
    empty_store: StoreLayout, version_file: Path
) -> None:
    version_file.unlink()
    version_file.mkdir()
    with pytest.raises(StoreUnreachableError, match=r"manifest\.json cannot be read"):
        read_version(empty_store, "adder", ENTRY)


@pytest.mark.usefixtures("preparation_file")
def test_a_preparation_is_what_refs_name(empty_store: StoreLayout) -> None:
    assert read_preparation(empty_store, "adder", ENTRY, RUNTIME) == PREPARATION


def test_a_runtime_that_refs_do_not_name_has_no_preparation(empty_store: StoreLayout) -> None:
    assert read_preparation(empty_store, "adder", ENTRY, "ort-9.9.9-x86_64-p1") is None


@pytest.mark.parametrize(
    "changes",
    [
        {"model": "other"},
        {"version_id": OTHER_ID},
        {"version_digest": Digest.of_bytes(b"other")},
        {"runtime": "ort-9.9.9-x86_64-p1"},
    ],
    ids=["model", "version's id", "version's digest", "runtime"],
)
def test_a_preparation_that_is_not_what_refs_name_is_damage(
    empty_store: StoreLayout, preparation_file: Path, changes: dict[str, Any]
) -> None:
    preparation_file.write_bytes(PREPARATION._replace(**changes).render())
    with pytest.raises(DamagedError, match="is not the preparation that refs name"):
        read_preparation(empty_store, "adder", ENTRY, RUNTIME)


def test_a_preparation_with_the_id_of_another_is_damage(
    empty_store: StoreLayout, preparation_file: Path
) -> None:
    preparation_file.write_bytes(PREPARATION._replace(id=OTHER_ID).render())
    with pytest.raises(DamagedError, match="is not the preparation that refs name"):
        read_preparation(empty_store, "adder", ENTRY, RUNTIME)


def test_a_preparation_that_refs_name_and_is_missing_is_not_found(empty_store: StoreLayout) -> None:
    with pytest.raises(NotFoundError, match=r"manifest\.json is missing"):
        read_preparation(empty_store, "adder", ENTRY, RUNTIME)
