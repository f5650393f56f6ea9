from __future__ import annotations

import json
import os
import re
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from model_store.errors import DamagedError, FormatTooNewError, StoreUnreachableError
from model_store.reading import list_models, read_store_id
from model_sync.store_io.create_store import open_store
from tests.support.snapshots import FILE, FOLDER, modes, snapshot

if TYPE_CHECKING:
    from tests.support.durability import Synced


@pytest.mark.parametrize("there", ["nothing", "an empty folder", "folders missing above it too"])
def test_a_store_is_made_where_nothing_is(tmp_path: Path, there: str) -> None:
    root = tmp_path / "a" / "b" if "above" in there else tmp_path / "a"
    if there == "an empty folder":
        root.mkdir()
    layout = open_store(root)
    document = json.loads(layout.store_json.read_bytes())
    assert document == {"format": 1, "id": read_store_id(layout)}
    assert str(uuid.UUID(document["id"])) == document["id"]
    assert [path.name for path in root.iterdir()] == ["STORE.json"]
    assert list_models(layout) == ()


@pytest.mark.usefixtures("umask")
def test_a_new_store_is_durable_and_everyone_may_read_it(tmp_path: Path, synced: Synced) -> None:
    layout = open_store(tmp_path / "a" / "b")
    assert modes(tmp_path) == {"a": FOLDER, "a/b": FOLDER, "a/b/STORE.json": FILE}
    assert synced.lacking(tmp_path) == []
    assert layout.store_json.stat().st_nlink == 1


def test_a_store_that_is_there_is_opened_and_left_as_it_is(tmp_path: Path) -> None:
    made = open_store(tmp_path / "store")
    (tmp_path / "store" / "models").mkdir()
    before = snapshot(tmp_path)
    assert open_store(tmp_path / "store") == made
    assert snapshot(tmp_path) == before


def test_two_stores_have_two_ids(tmp_path: Path) -> None:
    ids = {read_store_id(open_store(tmp_path / name)) for name in ("a", "b")}
    assert len(ids) == 2


@pytest.mark.parametrize("stranger", ["model.onnx", "models", ".git", "lost+found", "store.json"])
def test_a_folder_with_other_things_in_it_is_refused(tmp_path: Path, stranger: str) -> None:
    (tmp_path / stranger).mkdir()
    before = snapshot(tmp_path)
    with pytest.raises(
        StoreUnreachableError, match=re.escape(f"STORE.json, and holds '{stranger}'")
    ):
        open_store(tmp_path)
    assert snapshot(tmp_path) == before


def test_what_a_crashed_creation_left_does_not_hinder_the_next(tmp_path: Path) -> None:
    (tmp_path / "STORE.json.20261123T210935Z-0f3c9a51be77").write_bytes(b"")
    assert read_store_id(open_store(tmp_path))


def test_the_root_of_a_file_system_without_a_store_is_taken_for_a_missing_mount() -> None:
    # /proc is the root of a file system everywhere; an empty one would read as an empty store.
    with pytest.raises(StoreUnreachableError, match="is the root of a file system without"):
        open_store(Path("/proc"))


@pytest.mark.parametrize("there", ["a file", "a file above", "a link to nothing", "a loop"])
def test_where_no_folder_can_be_no_store_is_made(tmp_path: Path, there: str) -> None:
    root = tmp_path / "root"
    match there:
        case "a file":
            root.write_bytes(b"")
        case "a file above":
            (tmp_path / "file").write_bytes(b"")
            root = tmp_path / "file" / "root"
        case "a link to nothing":
            root.symlink_to("nothing")
        case "a loop":
            root.symlink_to("root")
    before = snapshot(tmp_path)
    with pytest.raises(StoreUnreachableError, match=f"no store can be made at {root}"):
        open_store(root)
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize(
    ("data", "kind"), [(b"", DamagedError), (b'{"format": 2}', FormatTooNewError)]
)
def test_a_store_that_cannot_be_understood_is_not_made_anew(
    tmp_path: Path, data: bytes, kind: type[Exception]
) -> None:
    (tmp_path / "STORE.json").write_bytes(data)
    with pytest.raises(kind):
        open_store(tmp_path)
    assert (tmp_path / "STORE.json").read_bytes() == data


def test_of_two_who_make_it_at_once_both_use_the_one_that_was_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = os.link
    others: list[Path] = []

    def late(source: Path, target: Path, **options: Any) -> None:
        if not others:
            others.append(tmp_path)
            others.append(open_store(tmp_path).root)
        link(source, target, **options)

    monkeypatch.setattr(os, "link", late)
    layout = open_store(tmp_path)
    assert len(others) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["STORE.json"]
    assert read_store_id(layout)


def test_a_store_that_another_made_and_used_meanwhile_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ismount = os.path.ismount

    def late(root: Path) -> bool:
        monkeypatch.setattr(os.path, "ismount", ismount)
        (open_store(root).root / "staging").mkdir()
        return ismount(root)

    # Between a writer's look for STORE.json and its look at what else is there, another is done.
    monkeypatch.setattr(os.path, "ismount", late)
    assert read_store_id(open_store(tmp_path))


def test_a_folder_that_is_there_keeps_its_mode(tmp_path: Path) -> None:
    (tmp_path / "store").mkdir(mode=0o700)
    open_store(tmp_path / "store")
    assert modes(tmp_path)["store"] == 0o700


@pytest.mark.usefixtures("umask")
def test_no_store_ever_has_another_mode(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    for name in ("mkdir", "chmod", "rename"):
        real = getattr(os, name)

        def noting(*given: Any, real: Any = real, **more: Any) -> None:
            real(*given, **more)
            if (tmp_path / "store").exists():
                seen.append(modes(tmp_path)["store"])

        monkeypatch.setattr(os, name, noting)
    open_store(tmp_path / "store")
    assert set(seen) == {FOLDER}


def test_of_two_who_make_the_root_at_once_one_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename = os.rename

    def late(source: Path, target: Path) -> None:
        monkeypatch.setattr(os, "rename", rename)
        open_store(target)
        rename(source, target)

    monkeypatch.setattr(os, "rename", late)
    layout = open_store(tmp_path / "store")
    assert read_store_id(layout)
    assert [path.name for path in tmp_path.iterdir()] == ["store"]
