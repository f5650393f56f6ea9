"""Publishers at once: each new content is one version, and no folder is left without a name."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any, Final

import pytest

from model_store.reading import refresh
from tests.support.model_folders import PIPELINE, write_bare, write_full
from tests.support.places import ROOT
from tests.support.snapshots import ids_in
from tests.support.trials import during_the_trial

if TYPE_CHECKING:
    from pathlib import Path

    from model_store.layout import StoreLayout
    from model_store.refs import Refs
    from tests.model_sync.conftest import Publish

PUBLISH: Final = [sys.executable, "-m", "model_sync", "publish"]


def _refs(store: StoreLayout) -> Refs:
    return refresh(store, "adder", None).refs


def _assert_only_what_is_named_is_there(store: StoreLayout) -> None:
    entries = _refs(store).versions.values()
    versions, preparations = ids_in(store.model("adder"))
    assert versions == {entry.id for entry in entries}
    assert preparations == {made for entry in entries for made in entry.preparations.values()}
    assert list((store.root / "staging").iterdir()) == []


@pytest.mark.parametrize("already", [0, 1], ids=["first of its model", "not the first"])
def test_two_who_publish_the_same_new_contents_make_one_version(
    tmp_path: Path,
    new_store: StoreLayout,
    publish_to: Publish,
    monkeypatch: pytest.MonkeyPatch,
    already: int,
) -> None:
    if already:
        publish_to(write_bare(tmp_path / "adder", 7.0))
    folder = write_bare(tmp_path / "adder")
    won: list[Any] = []
    during_the_trial(monkeypatch, lambda: won.append(publish_to(folder)))
    lost = publish_to(folder)
    assert won[0].created
    assert not lost.created
    assert not lost.changed
    assert (won[0].version, won[0].generation) == (already + 1, already + 1)
    assert (lost.version, lost.generation) == (won[0].version, won[0].generation)
    assert set(_refs(new_store).versions) == set(range(1, already + 2))
    _assert_only_what_is_named_is_there(new_store)


def test_two_who_publish_different_contents_both_get_a_version(
    tmp_path: Path, new_store: StoreLayout, publish_to: Publish, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = write_bare(tmp_path / "one", 1.0), write_bare(tmp_path / "two", 2.0)
    won: list[Any] = []
    during_the_trial(monkeypatch, lambda: won.append(publish_to(two, name="adder")))
    lost = publish_to(one, name="adder")
    assert (won[0].version, won[0].generation) == (1, 1)
    assert (lost.version, lost.generation, lost.created) == (2, 2, True)
    refs = _refs(new_store)
    assert {number: str(entry.digest) for number, entry in refs.versions.items()} == {
        1: won[0].digest,
        2: lost.digest,
    }
    _assert_only_what_is_named_is_there(new_store)


def test_who_lost_to_other_contents_does_not_try_its_version_again(
    tmp_path: Path, publish_to: Publish, monkeypatch: pytest.MonkeyPatch
) -> None:
    marks = tmp_path / "marks"
    marks.mkdir()
    leave_a_mark = f"import tempfile\ntempfile.mkstemp(dir={str(marks)!r})\n"
    one = write_full(tmp_path / "one", pipeline=leave_a_mark + PIPELINE)
    two = write_bare(tmp_path / "two", 2.0)
    during_the_trial(monkeypatch, lambda: publish_to(two, name="adder"))
    assert publish_to(one, name="adder").version == 2
    assert len(list(marks.iterdir())) == 1


def test_who_lost_keeps_the_label_where_its_own_contents_are(
    tmp_path: Path, new_store: StoreLayout, publish_to: Publish, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, other = write_bare(tmp_path / "one", 1.0), write_bare(tmp_path / "two", 2.0)

    def meanwhile() -> None:
        publish_to(folder, name="adder")
        publish_to(other, name="adder")

    during_the_trial(monkeypatch, meanwhile)
    lost = publish_to(folder, name="adder")
    # The same contents are version 1 by now; the label has gone on, and comes back.
    assert (lost.version, lost.generation, lost.created, lost.changed) == (1, 3, False, True)
    assert _refs(new_store).labels == {"latest": 1}
    _assert_only_what_is_named_is_there(new_store)


@pytest.mark.parametrize("already", [0, 1], ids=["first of its model", "not the first"])
@pytest.mark.parametrize("place", ["refs", "versions", "preparations"])
def test_who_is_interrupted_leaves_no_folder_without_a_name(
    tmp_path: Path,
    new_store: StoreLayout,
    publish_to: Publish,
    monkeypatch: pytest.MonkeyPatch,
    place: str,
    already: int,
) -> None:
    if already:
        publish_to(write_bare(tmp_path / "adder", 7.0))
    link, rename = os.link, os.rename

    def linking(source: Path, target: Path) -> None:
        if target.parent.name == place:
            raise KeyboardInterrupt
        link(source, target)

    def renaming(source: Path, target: Path) -> None:
        rename(source, target)
        if target.parent.name == place:
            raise KeyboardInterrupt

    monkeypatch.setattr(os, "link", linking)
    monkeypatch.setattr(os, "rename", renaming)
    with pytest.raises(KeyboardInterrupt):
        publish_to(write_bare(tmp_path / "adder"))
    if already:
        assert _refs(new_store).generation == 1
        _assert_only_what_is_named_is_there(new_store)
    else:
        assert ids_in(new_store.model("adder")) == (set(), set())
        assert list((new_store.root / "staging").iterdir()) == []


def test_processes_that_publish_at_once_all_succeed(tmp_path: Path, new_store: StoreLayout) -> None:
    folders = [write_bare(tmp_path / str(number), float(number // 2)) for number in range(3)]
    publishers = [
        subprocess.Popen(
            [*PUBLISH, folder, "--store", new_store.root, "--name", "adder", "--quiet"],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for folder in folders
    ]
    told = [publisher.communicate()[0] for publisher in publishers]
    assert [publisher.returncode for publisher in publishers] == [0, 0, 0], told
    assert set(_refs(new_store).versions) == {1, 2}
    _assert_only_what_is_named_is_there(new_store)
