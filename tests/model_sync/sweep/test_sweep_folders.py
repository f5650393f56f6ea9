"""Folders that no generation names are removed once a day old, when no writer can name them."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

import pytest

from model_store.names import new_id
from model_store.reading import read_upward
from model_store.refs import LATEST, Change
from model_sync.errors import OutOfTimeError
from model_sync.progress import Silent
from model_sync.publishing.publish import publish
from model_sync.refs.commit import try_commit
from model_sync.refs.publish_changes import with_version
from model_sync.store_io.staging import Staging
from tests.support.models import write_adder
from tests.support.snapshots import ids_in, snapshot
from tests.support.sweepable import ADDER, DAY_S

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.sweepable import Sweepable


def test_what_nothing_names_goes_after_a_day(store: Sweepable) -> None:
    store.publish()
    named = ids_in(store.model())
    with Staging(store.layout) as staging:
        entry = store.place(staging)
    assert store.sweep(0.9)["folders"] == []
    found = store.sweep(1.1)
    assert found["folders"] == [
        f"models/adder/versions/{entry.id}",
        *(f"models/adder/preparations/{each}" for each in entry.preparations.values()),
    ]
    assert found["freed_bytes"] > 0
    assert found["failures"] == []
    assert ids_in(store.model()) == named


def test_a_generation_is_won_first_so_that_nobody_names_it_meanwhile(store: Sweepable) -> None:
    store.publish()
    with Staging(store.layout) as staging:
        entry = store.place(staging)
        # A publisher has read the newest refs, and is about to link its own.
        mine = with_version(
            store.refs(), entry, label=LATEST, writer=new_id(), change=Change("", "", "", "")
        )
    store.sweep(1.1)
    with Staging(store.layout) as staging:
        assert try_commit(store.model(), staging, mine) is False
    assert store.in_place() == {1}


def test_a_publisher_that_took_half_a_day_names_nothing_that_it_placed(
    tmp_path: Path, store: Sweepable, monkeypatch: pytest.MonkeyPatch
) -> None:
    link, clock = os.link, time.time

    def linking(source: Path, target: Path, **options: Any) -> None:
        if target.parent.name == "refs" and target.parts[-3] == ADDER:
            monkeypatch.setattr(os, "link", link)
            # It sleeps; another publishes; a day later it goes on, and has lost.
            store.publish()
            monkeypatch.setattr(time, "time", lambda: clock() + DAY_S)
        link(source, target, **options)

    monkeypatch.setattr(os, "link", linking)
    write_adder(tmp_path / ADDER, 1.0)
    with pytest.raises(OutOfTimeError, match=r"^publishing 'adder' took more than 12 hours: "):
        publish(tmp_path / ADDER, store.layout.root, progress=Silent(), allow_signature_change=True)
    monkeypatch.setattr(time, "time", clock)
    refs = read_upward(store.model())
    assert refs
    assert len(refs.versions) == 1
    assert store.in_place() == {1}


@pytest.mark.parametrize("name", ["notes", "20261123T210935Z", "99999999T999999Z-0f3c9a51be77"])
def test_what_has_no_id_of_ours_is_left_alone(store: Sweepable, name: str) -> None:
    store.publish()
    places = [
        store.model().versions / name,
        store.model().preparations / name,
        store.layout.root / "staging" / name,
        store.layout.root / "trash" / name,
    ]
    for place in places:
        place.mkdir(parents=True)
    store.sweep(10_000)
    assert all(place.exists() for place in places)


@pytest.mark.parametrize("place", ["staging", "trash"])
def test_what_is_in_staging_or_trash_goes_after_a_day(store: Sweepable, place: str) -> None:
    folder = store.layout.root / place / new_id()
    (folder / "deep" / "deeper").mkdir(parents=True)
    (folder / "deep" / "deeper" / "file").write_bytes(b"1234")
    assert store.sweep(0.9)["folders"] == []
    found = store.sweep(1.1)
    assert found["folders"] == [f"{place}/{folder.name}"]
    assert found["freed_bytes"] == 4
    assert not folder.exists()


def test_a_folder_of_a_thousand_levels_goes(store: Sweepable) -> None:
    folder = store.layout.root / "staging" / new_id()
    folder.mkdir(parents=True)
    here = os.getcwd()  # noqa: PTH109 - paths this long have no name
    try:
        os.chdir(folder)
        for _ in range(1200):
            os.mkdir("d")  # noqa: PTH102
            os.chdir("d")
    finally:
        os.chdir(here)
    found = store.sweep(1.1)
    assert found["failures"] == []
    assert not folder.exists()


def test_a_store_with_nothing_in_it_is_swept(store: Sweepable) -> None:
    before = snapshot(store.layout.root / "models")
    found = store.sweep(100)
    assert not any(found[key] for key in ("deleted", "kept", "folders", "packages", "failures"))
    assert snapshot(store.layout.root / "models") == before
