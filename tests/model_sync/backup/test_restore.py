"""A restored backup is the same store under another id."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest

from inference.loading.golden_cases import run_golden_cases
from inference.loading.loader import load_version
from model_store.errors import DamagedError, FormatTooNewError, StoreError
from model_store.layout import StoreLayout
from model_store.reading import read_store_id, read_version, refresh
from model_sync.admin.show import list_published
from model_sync.backup.image import BACKUP_JSON, read_image
from model_sync.backup.restore import restore
from model_sync.errors import BackupError, SpaceError
from model_sync.package_sets.publish import list_packages
from model_sync.progress import Silent
from model_sync.publishing.publish import publish
from tests.model_sync.backups import back_up, store_tree, tree, without_refs_json
from tests.model_sync.rich_store import ADDER, GREETER, ask, newest
from tests.support.damage import flip_in_the_middle
from tests.support.model_folders import write_bare
from tests.support.snapshots import modes, snapshot

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.durability import Synced


@pytest.fixture
def folder(rich: StoreLayout, tmp_path: Path) -> Path:
    """A backup of the store with everything in it."""
    back_up(rich.root, tmp_path / "backup")
    return tmp_path / "backup"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Folder of a restored store, which does not exist yet."""
    return tmp_path / "restored"


def test_a_restored_store_is_the_same_under_a_new_id(
    rich: StoreLayout, folder: Path, root: Path
) -> None:
    before = snapshot(folder)
    found = restore(folder, root, Silent())
    assert snapshot(folder) == before
    back = StoreLayout(root)
    assert store_tree(root) == store_tree(rich.root)
    assert found["store_id"] == read_store_id(back) != read_store_id(rich)
    assert found["backup_of"] == read_store_id(rich)
    assert found["made_at"] == read_image(folder).made_at
    assert found["models"] == dict(read_image(folder).models)
    assert found["copied"]["versions"] == 4
    assert list_published(back) == list_published(rich)
    assert list_packages(back) == list_packages(rich)
    assert ask(root, "history", model=ADDER, most=99) == ask(
        rich.root, "history", model=ADDER, most=99
    )
    assert ask(root, "verify")["checked"] == ask(rich.root, "verify")["checked"]
    assert ask(root, "verify")["problems"] == []


def test_a_restored_store_answers_the_same(folder: Path, root: Path) -> None:
    restore(folder, root, Silent())
    layout, entry = StoreLayout(root), newest(root).versions[2]
    loaded = load_version(layout, ADDER, 2, entry)
    content = read_version(layout, ADDER, entry).content
    run_golden_cases(loaded, layout.model(ADDER).version(entry.id), content)


def test_a_restored_store_is_published_to(folder: Path, root: Path, tmp_path: Path) -> None:
    restore(folder, root, Silent())
    published = publish(write_bare(tmp_path / "more" / ADDER, 9), root, progress=Silent())
    assert published.version == 5
    assert ask(root, "verify")["problems"] == []
    with pytest.raises(BackupError, match="is a backup of another store"):
        back_up(root, folder)


def test_refs_json_is_a_link_to_the_newest_generation(folder: Path, root: Path) -> None:
    restore(folder, root, Silent())
    place = StoreLayout(root).model(ADDER)
    number = newest(root).generation
    assert place.refs_json.samefile(place.generation(number))


def test_warm_readers_start_over(rich: StoreLayout, folder: Path) -> None:
    ask(rich.root, "promote", model=ADDER, version="1")  # after the backup
    seen = refresh(rich, ADDER, None)
    shutil.rmtree(rich.root)
    restore(folder, rich.root, Silent())
    after = refresh(rich, ADDER, seen)
    assert after.store_id != seen.store_id
    assert after.refs.generation == seen.refs.generation - 1
    assert after.refs.labels["latest"] == 2


def test_what_was_restored_is_durable_and_has_the_stores_modes(
    folder: Path, root: Path, synced: Synced, umask: int
) -> None:
    restore(folder, root, Silent())
    assert set(modes(root).values()) == {0o755, 0o644}
    assert root.stat().st_mode & 0o777 == 0o755
    assert synced.lacking(root) == []


def test_what_the_backup_does_not_name_is_not_restored(folder: Path, root: Path) -> None:
    model = folder / "models" / ADDER
    number = newest(folder, ADDER).generation
    shutil.copyfile(model / "refs" / f"{number}.json", model / "refs" / f"{number + 1}.json")
    (version, *_) = sorted((model / "versions").iterdir())
    shutil.copytree(version, model / "versions" / ("20200101T000000Z-" + "0" * 12))
    shutil.copytree(model, folder / "models" / "stranger")
    restore(folder, root, Silent())
    assert newest(root).generation == number
    assert list_published(StoreLayout(root))["models"][0]["generation"] == number
    assert not (root / "models" / "stranger").exists()
    assert len(list((root / "models" / ADDER / "versions").iterdir())) == 3


def graph_flipped(folder: Path) -> None:
    flip_in_the_middle(next((folder / "models" / ADDER).rglob("model.onnx")))


def graph_missing(folder: Path) -> None:
    next((folder / "models" / ADDER).rglob("model.onnx")).unlink()


def graph_linked(folder: Path) -> None:
    path = next((folder / "models" / ADDER).rglob("model.onnx"))
    path.rename(folder.parent / "elsewhere")
    path.symlink_to(folder.parent / "elsewhere")


def version_missing(folder: Path) -> None:
    shutil.rmtree(next((folder / "models" / ADDER / "versions").iterdir()))


def preparation_missing(folder: Path) -> None:
    shutil.rmtree(next((folder / "models" / ADDER / "preparations").iterdir()))


def generation_missing(folder: Path) -> None:
    (folder / "models" / ADDER / "refs" / "2.json").unlink()


def newest_generation_missing(folder: Path) -> None:
    number = read_image(folder).models[ADDER]
    (folder / "models" / ADDER / "refs" / f"{number}.json").unlink()


def generation_of_another_model(folder: Path) -> None:
    path = folder / "models" / ADDER / "refs" / "2.json"
    text = path.read_text()
    model_id = newest(folder, ADDER).model_id
    path.write_text(text.replace(model_id, "20200101T000000Z-" + "0" * 12))


def model_json_missing(folder: Path) -> None:
    (folder / "models" / ADDER / "MODEL.json").unlink()


def model_json_of_another(folder: Path) -> None:
    shutil.copyfile(
        folder / "models" / GREETER / "MODEL.json", folder / "models" / ADDER / "MODEL.json"
    )


def set_flipped(folder: Path) -> None:
    flip_in_the_middle(next((folder / "packages").rglob("*.py")))


def set_missing(folder: Path) -> None:
    shutil.rmtree(folder / "packages")


@pytest.mark.parametrize(
    "damage",
    [
        graph_flipped,
        graph_missing,
        graph_linked,
        version_missing,
        preparation_missing,
        generation_missing,
        newest_generation_missing,
        generation_of_another_model,
        model_json_missing,
        model_json_of_another,
        set_flipped,
        set_missing,
    ],
)
def test_of_a_damaged_backup_no_store_is_made(
    folder: Path, root: Path, damage: Callable[[Path], None]
) -> None:
    damage(folder)
    with pytest.raises(StoreError) as caught:
        restore(folder, root, Silent())
    assert "\n" not in str(caught.value)
    assert str(folder) in str(caught.value) or "package set" in str(caught.value)
    assert not root.exists() or list(root.iterdir()) == []


def test_what_is_no_backup_is_refused(folder: Path, root: Path, rich: StoreLayout) -> None:
    for wrong in (rich.root, folder / "none"):
        with pytest.raises(BackupError, match=r"is no complete backup: it has no BACKUP\.json"):
            restore(wrong, root, Silent())
    text = (folder / BACKUP_JSON).read_text()
    (folder / BACKUP_JSON).write_text(text.replace('"format": 1', '"format": 2'))
    with pytest.raises(FormatTooNewError, match="upgrade it"):
        restore(folder, root, Silent())
    (folder / BACKUP_JSON).write_text(text.replace(f'"{ADDER}": ', '"../up": '))
    with pytest.raises(DamagedError, match=r"model name '\.\./up' is refused"):
        restore(folder, root, Silent())
    assert not root.exists()


def test_a_root_that_is_not_empty_is_refused_and_left_alone(folder: Path, root: Path) -> None:
    root.mkdir()
    (root / "mine").write_text("mine")
    with pytest.raises(BackupError, match="is not empty, it holds 'mine'"):
        restore(folder, root, Silent())
    assert tree(root) == {"mine": b"mine"}
    with pytest.raises(BackupError, match="no store was restored to"):
        restore(folder, root / "mine", Silent())
    with pytest.raises(BackupError, match="cannot be inside each other"):
        restore(folder, folder / "store", Silent())


def test_an_empty_root_keeps_its_mode(folder: Path, root: Path) -> None:
    root.mkdir(mode=0o750)
    restore(folder, root, Silent())
    assert root.stat().st_mode & 0o777 == 0o750


class Meanwhile(Silent):
    """Does something as soon as bytes are restored."""

    def __init__(self, what: Callable[[], None]) -> None:
        self._what = [what]

    def advance(self, n_bytes: int) -> None:
        if self._what:
            self._what.pop()()


def test_two_restores_to_one_root_do_not_meet(folder: Path, root: Path) -> None:
    def another() -> None:
        with pytest.raises(BackupError, match="is not empty, it holds"):
            restore(folder, root, Silent())

    restore(folder, root, Meanwhile(another))
    assert ask(root, "verify")["problems"] == []


def test_a_store_that_somebody_made_meanwhile_is_left_to_them(folder: Path, root: Path) -> None:
    def make() -> None:
        (root / "STORE.json").write_text("theirs")

    with pytest.raises(BackupError, match="another process made a store at"):
        restore(folder, root, Meanwhile(make))
    assert (root / "STORE.json").read_text() == "theirs"
    assert newest(root).labels["latest"] == 2


def test_room_is_asked_for_first(folder: Path, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = os.statvfs(folder)
    full = os.statvfs_result([found.f_bsize, found.f_frsize, found.f_blocks, 0, 0, *found[5:]])
    monkeypatch.setattr(os, "statvfs", lambda _: full)
    with pytest.raises(SpaceError, match="no room for the store in"):
        restore(folder, root, Silent())
    assert not root.exists()


def test_a_restored_store_has_what_a_reader_reads_and_nothing_else(
    rich: StoreLayout, folder: Path, root: Path
) -> None:
    restore(folder, root, Silent())
    expected = {*without_refs_json(store_tree(rich.root)), "STORE.json", "staging"}
    assert set(without_refs_json(tree(root))) == expected
