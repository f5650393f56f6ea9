"""Whenever a backup or a restore ends, what it leaves is whole or does not look it."""

from __future__ import annotations

import itertools
import shutil
from typing import TYPE_CHECKING

import pytest

from model_sync.backup.image import BACKUP_JSON, UNFINISHED, read_image
from model_sync.backup.restore import restore
from model_sync.errors import BackupError
from model_sync.progress import Silent
from model_sync.publishing.publish import publish
from tests.model_sync.backups import (
    back_up,
    image_tree,
    is_restorable,
    store_tree,
    without_refs_json,
)
from tests.model_sync.killed import Ended, Ends, backing_up, killed, restoring
from tests.model_sync.rich_store import ADDER, newest
from tests.support.model_folders import write_bare

if TYPE_CHECKING:
    from pathlib import Path

    from model_store.layout import StoreLayout

each_step = pytest.mark.parametrize("step", [3, pytest.param(1, marks=pytest.mark.exhaustive)])
"""Ends at every third step of the work; at every one, where there is time for that."""


@each_step
def test_a_backup_that_ends_anywhere_is_none_and_the_next_goes_on(
    rich: StoreLayout, tmp_path: Path, step: int
) -> None:
    for after in itertools.count(1, step):
        folder = tmp_path / f"backup-{after}"
        try:
            back_up(rich.root, folder, Ends(after))
        except Ended:
            assert not (folder / BACKUP_JSON).exists()
            with pytest.raises(BackupError, match="is no complete backup"):
                restore(folder, tmp_path / "restored", Silent())
            back_up(rich.root, folder)
            assert image_tree(folder) == without_refs_json(store_tree(rich.root))
        else:
            break
    assert after > 20


@each_step
def test_a_second_backup_that_ends_anywhere_leaves_the_first(
    rich: StoreLayout, tmp_path: Path, step: int
) -> None:
    folder = tmp_path / "backup"
    back_up(rich.root, folder)
    generation = newest(rich.root).generation
    publish(write_bare(tmp_path / "more" / ADDER, 9), rich.root, progress=Silent())
    for after in itertools.count(1, step):
        try:
            back_up(rich.root, folder, Ends(after))
        except Ended:
            assert read_image(folder).models[ADDER] == generation
            root = tmp_path / f"restored-{after}"
            assert is_restorable(folder, root)
            assert newest(root).generation == generation
        else:
            break
    assert after > 2
    assert read_image(folder).models[ADDER] == generation + 1
    assert image_tree(folder) == without_refs_json(store_tree(rich.root))


@each_step
def test_a_backup_of_a_model_made_anew_that_ends_anywhere_is_whole_or_none(
    rich: StoreLayout, tmp_path: Path, step: int
) -> None:
    back_up(rich.root, tmp_path / "first")
    generation = newest(rich.root).generation
    shutil.rmtree(rich.model(ADDER).folder)
    for number in (7, 8):
        publish(write_bare(tmp_path / f"{number}" / ADDER, number), rich.root, progress=Silent())
    publish(write_bare(tmp_path / "last" / "last", 9), rich.root, progress=Silent())
    whole = none = 0
    for after in itertools.count(1, step):
        folder, root = tmp_path / f"backup-{after}", tmp_path / f"restored-{after}"
        shutil.copytree(tmp_path / "first", folder)
        try:
            back_up(rich.root, folder, Ends(after))
        except Ended:
            if (folder / BACKUP_JSON).exists():
                whole += 1
                assert is_restorable(folder, root)
                assert newest(root).generation == generation
            else:
                none += 1
                back_up(rich.root, folder)
                assert image_tree(folder) == without_refs_json(store_tree(rich.root))
        else:
            break
    assert whole
    assert none > 2


@pytest.mark.parametrize("after", [1, 2, 3, 9, 20])
def test_a_backup_that_is_killed_is_none_and_the_next_goes_on(
    rich: StoreLayout, tmp_path: Path, after: int
) -> None:
    folder = tmp_path / "backup"
    assert killed(backing_up, rich.root, folder, after)
    assert (folder / UNFINISHED).exists()
    with pytest.raises(BackupError, match=r"it has no BACKUP\.json \(a backup to it was"):
        restore(folder, tmp_path / "restored", Silent())
    assert not (tmp_path / "restored").exists()
    back_up(rich.root, folder)
    assert image_tree(folder) == without_refs_json(store_tree(rich.root))
    assert is_restorable(folder, tmp_path / "restored")


@each_step
def test_a_restore_that_ends_anywhere_leaves_an_empty_folder(
    rich: StoreLayout, tmp_path: Path, step: int
) -> None:
    folder = tmp_path / "backup"
    back_up(rich.root, folder)
    root = tmp_path / "restored"
    for after in itertools.count(1, step):
        try:
            restore(folder, root, Ends(after))
        except Ended:
            assert list(root.iterdir()) == []
        else:
            break
    assert after > 20
    assert without_refs_json(store_tree(root)) == image_tree(folder)


@pytest.mark.parametrize("after", [1, 3, 9, 20])
def test_a_restore_that_is_killed_leaves_no_store(
    rich: StoreLayout, tmp_path: Path, after: int
) -> None:
    folder, root = tmp_path / "backup", tmp_path / "restored"
    back_up(rich.root, folder)
    assert killed(restoring, folder, root, after)
    assert not (root / "STORE.json").exists()
    with pytest.raises(BackupError, match="is not empty, it holds"):
        restore(folder, root, Silent())
