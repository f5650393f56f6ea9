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


def test_what_nothing_names_goes_after_a_day(sweepable: Sweepable) -> None:
    sweepable.publish()
    named = ids_in(sweepable.model())
    with Staging(sweepable.layout) as staging:
        entry = sweepable.place(staging)
    assert sweepable.sweep(0.9)["folders"] == []
    found = sweepable.sweep(1.1)
    assert found["folders"] == [
        f"models/adder/versions/{entry.id}",
        *(f"models/adder/preparations/{each}" for each in entry.preparations.values()),
    ]
    assert found["freed_bytes"] > 0
    assert found["failures"] == []
    assert ids_in(sweepable.model()) == named


def test_a_generation_is_won_first_so_that_nobody_names_it_meanwhile(sweepable: Sweepable) -> None:
    sweepable.publish()
    with Staging(sweepable.layout) as staging:
        entry = sweepable.place(staging)
        # A publisher has read the newest refs, and is about to link its own.
        mine = with_version(
            sweepable.refs(), entry, label=LATEST, writer=new_id(), change=Change("", "", "", "")
        )
    sweepable.sweep(1.1)
    with Staging(sweepable.layout) as staging:
        assert try_commit(sweepable.model(), staging, mine) is False
    assert sweepable.in_place() == {1}


def test_a_publisher_that_took_half_a_day_names_nothing_that_it_placed(
    tmp_path: Path, sweepable: Sweepable, monkeypatch: pytest.MonkeyPatch
) -> None:
    link, clock = os.link, time.time

    def linking(source: Path, target: Path, **options: Any) -> None:
        if target.parent.name == "refs" and target.parts[-3] == ADDER:
            monkeypatch.setattr(os, "link", link)
            # It sleeps; another publishes; a day later it goes on, and has lost.
            sweepable.publish()
            monkeypatch.setattr(time, "time", lambda: clock() + DAY_S)
        link(source, target, **options)

    monkeypatch.setattr(os, "link", linking)
    write_adder(tmp_path / ADDER, 1.0)
    with pytest.raises(OutOfTimeError, match=r"^publishing 'adder' took more than 12 hours: "):
        publish(
            tmp_path / ADDER, sweepable.layout.root, progress=Silent(), allow_signature_change=True
        )
    monkeypatch.setattr(time, "time", clock)
    refs = read_upward(sweepable.model())
    assert refs
    assert len(refs.versions) == 1
    assert sweepable.in_place() == {1}


@pytest.mark.parametrize("name", ["notes", "20261123T210935Z", "99999999T999999Z-0f3c9a51be77"])
def test_what_has_no_id_of_ours_is_left_alone(sweepable: Sweepable, name: str) -> None:
    sweepable.publish()
    places = [
        sweepable.model().versions / name,
        sweepable.model().preparations / name,
        sweepable.layout.root / "staging" / name,
        sweepable.layout.root / "trash" / name,
    ]
    for place in places:
        place.mkdir(parents=True)
    sweepable.sweep(10_000)
    assert all(place.exists() for place in places)


@pytest.mark.parametrize("place", ["staging", "trash"])
def test_what_is_in_staging_or_trash_goes_after_a_day(sweepable: Sweepable, place: str) -> None:
    folder = sweepable.layout.root / place / new_id()
    (folder / "deep" / "deeper").mkdir(parents=True)
    (folder / "deep" / "deeper" / "file").write_bytes(b"1234")
    assert sweepable.sweep(0.9)["folders"] == []
    found = sweepable.sweep(1.1)
    assert found["folders"] == [f"{place}/{folder.name}"]
    assert found["freed_bytes"] == 4
    assert not folder.exists()


def test_a_folder_of_a_thousand_levels_goes(sweepable: Sweepable) -> None:
    folder = sweepable.layout.root / "staging" / new_id()
    folder.mkdir(parents=True)
    here = os.getcwd()  # noqa: PTH109 - paths this long have no name
    try:
        os.chdir(folder)
        for _ in range(1200):
            os.mkdir("d")  # noqa: PTH102
            os.chdir("d")
    finally:
        os.chdir(here)
    found = sweepable.sweep(1.1)
    assert found["failures"] == []
    assert not folder.exists()


def test_a_store_with_nothing_in_it_is_swept(sweepable: Sweepable) -> None:
    before = snapshot(sweepable.layout.root / "models")
    found = sweepable.sweep(100)
    assert not any(found[key] for key in ("deleted", "kept", "folders", "packages", "failures"))
    assert snapshot(sweepable.layout.root / "models") == before
