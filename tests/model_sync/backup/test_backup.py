"""A backup is an exact image of a store at a time, or no backup."""

from __future__ import annotations

import json
import os
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from model_store.errors import DamagedError
from model_store.package_set import Target
from model_store.reading import read_store_id
from model_store.refs import REMOVED
from model_sync.backup.image import BACKUP_JSON, UNFINISHED, Image, read_image
from model_sync.errors import BackupError, RequestError, SpaceError
from model_sync.package_sets.publish import publish_wheels
from model_sync.progress import Silent
from model_sync.publishing.publish import publish
from model_sync.store_io.create_store import open_store
from tests.model_sync.backups import (
    back_up,
    image_tree,
    is_restorable,
    store_tree,
    tree,
    without_refs_json,
)
from tests.model_sync.rich_store import (
    ADDER,
    GREETER,
    ask,
    delete,
    newest,
    opened,
    set_digest,
    set_path,
    version_path,
)
from tests.support.damage import flip_in_the_middle
from tests.support.model_folders import write_bare
from tests.support.snapshots import modes, snapshot
from tests.support.wheels import write_wheel

if TYPE_CHECKING:
    from pathlib import Path

    from model_store.layout import StoreLayout
    from tests.support.durability import Synced


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Folder of a backup, which does not exist yet."""
    return tmp_path / "backup"


def test_a_backup_is_an_exact_image_without_a_store_json(rich: StoreLayout, folder: Path) -> None:
    before = snapshot(rich.root)
    found = back_up(rich.root, folder)
    assert snapshot(rich.root) == before
    assert image_tree(folder) == without_refs_json(store_tree(rich.root))
    assert json.loads((folder / BACKUP_JSON).read_text()) == {
        "format": 1,
        "store_id": read_store_id(rich),
        "made_at": found["made_at"],
        "models": {name: newest(rich.root, name).generation for name in (ADDER, GREETER)},
        "package_sets": [str(set_digest(rich.root))],
    }
    assert found["models"] == {ADDER: newest(rich.root).generation, GREETER: 1}
    assert found["copied"]["versions"] == 4
    assert found["copied"]["package_sets"] == 1
    assert found["removed"] == 0
    assert Image.parse(read_image(folder).render(), "") == read_image(folder)


def test_what_a_backup_wrote_has_the_stores_modes_and_is_durable(
    rich: StoreLayout, folder: Path, synced: Synced, umask: int
) -> None:
    back_up(rich.root, folder)
    assert set(modes(folder).values()) == {0o755, 0o644}
    assert synced.lacking(folder) == []


def test_a_second_backup_copies_what_is_new_and_touches_nothing_else(
    rich: StoreLayout, folder: Path, tmp_path: Path
) -> None:
    back_up(rich.root, folder)
    before = snapshot(folder)
    again = back_up(rich.root, folder)
    assert again["copied"] == dict.fromkeys(again["copied"], 0)
    after = snapshot(folder)
    assert {path for path in after if after[path] != before.get(path)} <= {".", BACKUP_JSON}
    publish(write_bare(tmp_path / "more" / ADDER, 9), rich.root, progress=Silent())
    third = back_up(rich.root, folder)
    assert (third["copied"]["versions"], third["copied"]["preparations"]) == (1, 1)
    assert image_tree(folder) == without_refs_json(store_tree(rich.root))
    kept = snapshot(folder)
    for path, node in after.items():
        if path.startswith(("packages", f"models/{GREETER}/")) or path.endswith(".onnx"):
            assert kept[path] == node


@pytest.mark.parametrize("damage", ["*.onnx", "site-packages/**/*.py", "versions/*/manifest.json"])
def test_what_a_disk_damaged_in_a_backup_is_copied_anew_by_the_next(
    rich: StoreLayout, folder: Path, damage: str
) -> None:
    back_up(rich.root, folder)
    whole = image_tree(folder)
    damaged = next(iter(sorted(folder.rglob(damage))))
    size = damaged.stat().st_size
    damaged.write_bytes(bytes(size))
    trusted = ask(rich.root, "backup", folder=str(folder), trust_sizes=True)
    assert trusted["copied"]["bytes"] == 0
    assert image_tree(folder) != whole
    copied = back_up(rich.root, folder)["copied"]
    assert copied["versions"] + copied["package_sets"] == 1
    assert copied["bytes"] > 0
    assert image_tree(folder) == whole


def test_what_was_deleted_since_leaves_the_image(rich: StoreLayout, folder: Path) -> None:
    back_up(rich.root, folder)
    ask(rich.root, "release", model=ADDER, job="nightly")
    delete(rich.root, ADDER, 4)
    ask(rich.root, "unlabel", model=GREETER, label="latest")
    delete(rich.root, GREETER, 1)
    shutil.rmtree(set_path_of_image(folder))
    shutil.rmtree(rich.packages)
    assert back_up(rich.root, folder)["removed"] == 4
    assert without_empty(image_tree(folder)) == without_empty(
        without_refs_json(store_tree(rich.root))
    )
    shutil.rmtree(rich.model(GREETER).folder)
    assert back_up(rich.root, folder)["removed"] == 1
    assert read_image(folder).models.keys() == {ADDER}
    assert not (folder / "models" / GREETER).exists()


def set_path_of_image(folder: Path) -> Path:
    (found,) = (folder / "packages").iterdir()
    return found


def without_empty(found: dict[str, bytes | None]) -> dict[str, bytes | None]:
    return {path: data for path, data in found.items() if data is not None}


def test_a_set_that_no_version_names_yet_is_backed_up(
    rich: StoreLayout, folder: Path, tmp_path: Path
) -> None:
    wheel = write_wheel(tmp_path / "more", "ahead")
    manifest, _ = publish_wheels((wheel,), rich, Target.running(), Silent())
    back_up(rich.root, folder)
    assert manifest.digest in read_image(folder).package_sets
    shutil.rmtree(rich.package_set(manifest.digest))
    assert back_up(rich.root, folder)["removed"] == 1


def test_a_set_without_its_files_is_no_reason_to_keep_a_version(
    rich: StoreLayout, folder: Path
) -> None:
    shutil.rmtree(set_path(rich.root))
    with pytest.raises(Exception, match="the store holds no package set"):
        back_up(rich.root, folder)
    assert not (folder / BACKUP_JSON).exists()


@pytest.mark.parametrize("what", ["graph", "pipeline", "set", "generation", "missing generation"])
def test_what_is_damaged_is_not_backed_up_and_an_earlier_backup_stays(
    rich: StoreLayout, folder: Path, tmp_path: Path, what: str
) -> None:
    back_up(rich.root, folder)
    publish(write_bare(tmp_path / "more" / ADDER, 9), rich.root, progress=Silent())
    fresh = folder.parent / "fresh"
    model = rich.model(ADDER)
    match what:
        case "graph":
            flip_in_the_middle(version_path(rich.root, 5) / "source" / "model.onnx")
        case "pipeline":
            flip_in_the_middle(version_path(rich.root, 2) / "pipeline" / "pipeline.py")
        case "set":
            flip_in_the_middle(next(set_path(rich.root).rglob("*.py")))
        case "generation":
            model.generation(2).write_text("{")
        case "missing generation":
            model.generation(2).unlink()
    with pytest.raises(DamagedError) as caught:
        back_up(rich.root, fresh)
    assert "\n" not in str(caught.value)
    assert not (fresh / BACKUP_JSON).exists()
    if what in {"graph", "generation"}:
        with pytest.raises(DamagedError):
            back_up(rich.root, folder)
    assert is_restorable(folder, tmp_path / "restored")


@pytest.mark.parametrize("what", ["truncated", "missing", "extra", "no manifest", "generation"])
def test_what_is_lost_in_the_image_is_copied_again(
    rich: StoreLayout, folder: Path, what: str
) -> None:
    back_up(rich.root, folder)
    whole = image_tree(folder)
    (graph, *_) = sorted(folder.rglob("model.onnx"))
    match what:
        case "truncated":
            graph.write_bytes(b"")
        case "missing":
            graph.unlink()
        case "extra":
            (graph.parent / "extra").write_text("x")
        case "no manifest":
            (graph.parent.parent / "manifest.json").unlink()
        case "generation":
            (folder / "models" / ADDER / "refs" / "2.json").write_text("{")
    back_up(rich.root, folder)
    assert image_tree(folder) == whole


def test_a_model_made_anew_at_the_same_name_is_another(
    rich: StoreLayout, folder: Path, tmp_path: Path
) -> None:
    back_up(rich.root, folder)
    shutil.rmtree(rich.model(ADDER).folder)
    publish(write_bare(tmp_path / "anew" / ADDER, 7), rich.root, progress=Silent())
    back_up(rich.root, folder)
    assert image_tree(folder) == without_refs_json(store_tree(rich.root))
    assert read_image(folder).models[ADDER] == 1


def test_a_store_whose_file_system_was_put_back_to_an_earlier_time_is_backed_up_as_it_is(
    rich: StoreLayout, folder: Path, tmp_path: Path
) -> None:
    shutil.copytree(rich.root, tmp_path / "earlier")
    ask(rich.root, "release", model=ADDER, job="nightly")
    ask(rich.root, "split", model=ADDER, shares={})
    back_up(rich.root, folder)
    shutil.rmtree(rich.root)
    (tmp_path / "earlier").rename(rich.root)
    back_up(rich.root, folder)
    assert image_tree(folder) == without_refs_json(store_tree(rich.root))
    ask(rich.root, "promote", model=ADDER, version="1", label="other")
    back_up(rich.root, folder)
    assert image_tree(folder) == without_refs_json(store_tree(rich.root))


def test_a_model_that_a_sweep_is_about_to_remove_is_left_out(
    rich: StoreLayout, folder: Path
) -> None:
    ask(rich.root, "unlabel", model=GREETER, label="latest")
    opened(rich.root).change(
        GREETER,
        lambda refs: refs._replace(change=refs.change._replace(verb=REMOVED)),
        verb=REMOVED,
        reason="",
    )
    assert back_up(rich.root, folder)["models"].keys() == {ADDER}


def test_a_set_that_a_sweep_is_deleting_is_left_out(rich: StoreLayout, folder: Path) -> None:
    other = rich.packages / ("0" * 64)
    shutil.copytree(set_path(rich.root), other)
    with pytest.raises(DamagedError, match="is the manifest of another package set"):
        back_up(rich.root, folder)
    (other / "manifest.json").unlink()
    (other / "DELETING").touch()
    back_up(rich.root, folder)
    for path in other.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    back_up(rich.root, folder)
    assert read_image(folder).package_sets == (set_digest(rich.root),)


class Meanwhile(Silent):
    """Does something to the store when the copying begins, and when the first bytes are."""

    def __init__(self, *what: Any) -> None:
        self._what = list(what)

    def advance(self, n_bytes: int) -> None:
        if self._what:
            self._what.pop()()


def test_a_model_is_read_again_when_a_sweep_deletes_what_was_to_be_copied(
    rich: StoreLayout, folder: Path
) -> None:
    ask(rich.root, "release", model=ADDER, job="nightly")
    found = back_up(rich.root, folder, Meanwhile(lambda: delete(rich.root, ADDER, 4)))
    assert found["models"][ADDER] == newest(rich.root).generation
    assert image_tree(folder) == without_refs_json(store_tree(rich.root))


def test_a_model_that_goes_meanwhile_is_left_out(rich: StoreLayout, folder: Path) -> None:
    def go() -> None:
        rich.model(ADDER).folder.rename(rich.root / "trash")

    assert back_up(rich.root, folder, Meanwhile(go))["models"].keys() == {GREETER}
    assert read_image(folder).models.keys() == {GREETER}
    assert not (folder / "models" / ADDER).exists()


def test_what_is_lost_without_a_word_in_refs_makes_no_backup(
    rich: StoreLayout, folder: Path
) -> None:
    with pytest.raises(Exception, match=r"manifest\.json is missing"):
        back_up(rich.root, folder, Meanwhile(lambda: shutil.rmtree(version_path(rich.root, 4))))
    assert not (folder / BACKUP_JSON).exists()


def test_what_is_published_meanwhile_is_of_the_next_backup(
    rich: StoreLayout, folder: Path, tmp_path: Path
) -> None:
    more = write_bare(tmp_path / "more" / ADDER, 9)
    generation = newest(rich.root).generation

    def publish_more() -> None:
        publish(more, rich.root, progress=Silent())

    assert back_up(rich.root, folder, Meanwhile(publish_more))["models"][ADDER] == generation
    assert is_restorable(folder, tmp_path / "restored")
    assert newest(tmp_path / "restored").generation == generation
    assert back_up(rich.root, folder)["copied"]["versions"] == 1


def refused(root: Path, folder: Path, text: str) -> None:
    before = tree(folder) if folder.exists() else None
    with pytest.raises(BackupError) as caught:
        back_up(root, folder)
    assert text in str(caught.value)
    assert "\n" not in str(caught.value)
    assert (tree(folder) if folder.exists() else None) == before


def test_a_folder_that_is_no_backup_of_this_store_is_refused_and_left_alone(
    rich: StoreLayout, folder: Path, tmp_path: Path
) -> None:
    other = open_store(tmp_path / "other")
    refused(rich.root, other.root, "is not a backup, and holds 'STORE.json'")
    other.store_json.unlink()  # a store that lost it looks much like an image
    for name in ("models", "packages", "staging"):
        (other.root / name).mkdir()
    refused(rich.root, other.root, "is not a backup, and holds 'models'")
    back_up(rich.root, folder)
    (folder / "notes").write_text("mine")
    refused(rich.root, folder, "is not a backup, and holds 'notes'")
    (folder / "notes").unlink()
    back_up(open_store(tmp_path / "third").root, tmp_path / "thirds")
    refused(rich.root, tmp_path / "thirds", "is a backup of another store")
    refused(rich.root, rich.root / "backup", "a backup and its store cannot be inside each other")
    refused(rich.root / ".." / "rich", rich.root.parent, "cannot be inside each other")
    (tmp_path / "file").write_text("x")
    refused(rich.root, tmp_path / "file" / "backup", "no backup of")
    with pytest.raises(RequestError, match="expected an absolute path"):
        back_up(rich.root, folder.relative_to("/"))


def test_two_backups_to_one_folder_do_not_meet(rich: StoreLayout, folder: Path) -> None:
    errors = []

    def another() -> None:
        with pytest.raises(BackupError, match=r"another backup to .* is in progress") as caught:
            back_up(rich.root, folder)
        errors.append(caught.value)

    back_up(rich.root, folder, Meanwhile(another))
    assert len(errors) == 1
    assert not (folder / UNFINISHED).exists()


def test_a_folder_that_was_there_keeps_its_mode(rich: StoreLayout, folder: Path) -> None:
    folder.mkdir(mode=0o700)
    back_up(rich.root, folder)
    assert folder.stat().st_mode & 0o777 == 0o700


def test_holes_stay_holes(rich: StoreLayout, folder: Path, tmp_path: Path) -> None:
    source = write_bare(tmp_path / "sparse" / "sparse")
    (source / "model.toml").write_text(
        '[model]\nfile = "model.onnx"\n[pipeline]\nfile = "p.py"\ndata = ["zeros"]\n'
    )
    (source / "p.py").write_text("def decode(request): ...\ndef encode(outputs, request): ...\n")
    os.truncate(os.open(source / "zeros", os.O_CREAT | os.O_WRONLY), 64 << 20)
    publish(source, rich.root, progress=Silent())
    back_up(rich.root, folder)
    (copied,) = folder.rglob("zeros")
    assert copied.stat().st_size == 64 << 20
    assert copied.stat().st_blocks * 512 < 1 << 20


def test_room_is_asked_for_first(
    rich: StoreLayout, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = os.statvfs(folder.parent)
    full = os.statvfs_result([found.f_bsize, found.f_frsize, found.f_blocks, 0, 0, *found[5:]])
    monkeypatch.setattr(os, "statvfs", lambda _: full)
    with pytest.raises(SpaceError, match="no room for the backup in"):
        back_up(rich.root, folder)
    assert not folder.exists()


def test_the_store_id_of_an_opened_store_is_the_one_that_is_backed_up(
    rich: StoreLayout, folder: Path
) -> None:
    assert back_up(opened(rich.root).layout.root, folder)["store_id"] == read_store_id(rich)
