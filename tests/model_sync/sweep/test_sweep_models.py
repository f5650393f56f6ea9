"""A model of which nothing is left goes as a whole, and nothing committed to it goes with it."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from model_store.errors import DamagedError, NotFoundError
from model_store.names import new_id
from model_store.reading import list_models, read_model_id, refresh
from model_store.refs import LATEST, REMOVED, Change, State
from model_sync.errors import ChangeError
from model_sync.progress import Silent
from model_sync.publishing.publish import publish
from model_sync.refs.commit import ensure_model, settle, try_commit
from model_sync.refs.publish_changes import first_refs, with_version
from model_sync.store_io.staging import Staging
from tests.support.models import write_adder
from tests.support.sweepable import ADDER

if TYPE_CHECKING:
    from pathlib import Path

    from model_store.refs import Refs
    from tests.support.sweepable import Sweepable


@pytest.fixture
def spent(sweepable: Sweepable) -> Sweepable:
    """A store with a model of which every version is deleted."""
    sweepable.publish()
    sweepable.publish()
    sweepable.run("delete-model")
    assert len(sweepable.sweep(1.1)["deleted"]) == 2
    return sweepable


def test_a_deleted_model_goes_a_day_after_its_versions(spent: Sweepable) -> None:
    assert spent.sweep(0.9)["folders"] == []
    assert spent.states() == {1: "deleted", 2: "deleted"}
    found = spent.sweep(1.1)
    assert found["folders"] == ["models/adder"]
    assert found["failures"] == []
    assert found["freed_bytes"] > 0
    assert not spent.model().folder.exists()
    assert list_models(spent.layout) == ()
    assert not any((spent.layout.root / "trash").iterdir())


def test_a_model_with_a_label_or_a_version_stays(sweepable: Sweepable) -> None:
    sweepable.publish()
    sweepable.run("delete-model")
    sweepable.publish()
    assert sweepable.sweep(1.1)["deleted"] == [], "latest named it before"
    sweepable.publish()
    assert len(sweepable.sweep(1.1)["deleted"]) == 1
    assert sweepable.states() == {1: "deleted", 2: "available", 3: "available"}
    assert sweepable.sweep(100)["folders"] == []
    assert sweepable.model().folder.exists()


def test_a_model_published_again_before_it_goes_goes_on(spent: Sweepable) -> None:
    assert spent.publish() == 3
    assert spent.sweep(100)["folders"] == []
    assert spent.refs().labels == {LATEST: 3}


def test_a_model_made_anew_is_another(spent: Sweepable) -> None:
    before = refresh(spent.layout, ADDER, None)
    spent.sweep(1.1)
    assert spent.publish() == 1
    assert spent.refs().model_id != before.refs.model_id
    assert refresh(spent.layout, ADDER, before).refs == spent.refs()


def test_a_publisher_that_commits_first_saves_the_model(
    spent: Sweepable, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = os.link

    def linking(source: Any, target: Any, **options: Any) -> None:
        monkeypatch.setattr(os, "link", link)
        spent.publish()
        link(source, target, **options)

    monkeypatch.setattr(os, "link", linking)
    found = spent.sweep(1.1)
    assert (found["folders"], found["failures"]) == ([], [])
    assert spent.refs().labels == {LATEST: 3}
    assert spent.in_place() == {3}


def _publish(store: Sweepable, folder: Path) -> Any:
    write_adder(folder / ADDER, 1.0)
    return publish(folder / ADDER, store.layout.root, progress=Silent())


def test_a_publisher_that_comes_second_says_so_and_publishes_the_next_time(
    spent: Sweepable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    link, before = os.link, spent.refs()

    def linking(source: Path, target: Path, **options: Any) -> None:
        if target == spent.model().generation(before.generation + 1):
            monkeypatch.setattr(os, "link", link)
            # It has placed its version; sweep wins the last generation, and moves all of it away.
            _mark_removed(spent)
            spent.sweep_around(0)
            assert not spent.model().folder.exists()
        link(source, target, **options)

    monkeypatch.setattr(os, "link", linking)
    with pytest.raises(ChangeError, match=r"^'adder' was removed while it was being published: "):
        _publish(spent, tmp_path)
    assert not spent.model().refs_json.exists()
    published = _publish(spent, tmp_path)
    assert published.version == 1
    assert spent.in_place() == {1}
    assert spent.refs().model_id != before.model_id


def _stale(store: Sweepable) -> Refs:
    """A generation that a writer has decided on and not linked yet."""
    entry = store.refs().versions[1]._replace(id=new_id(), state=State.AVAILABLE)
    change = Change("late", "2026-11-24T00:00:00Z", "publish", "")
    return with_version(store.refs(), entry, label=LATEST, writer=new_id(), change=change)


def test_a_link_into_no_model_counts_as_lost(spent: Sweepable) -> None:
    late = _stale(spent)
    spent.sweep(1.1)
    with Staging(spent.layout) as staging:
        assert try_commit(spent.model(), staging, late) is False
    assert not spent.model().folder.exists(), "and makes no folder anew"


def test_a_link_into_the_model_made_anew_counts_as_lost_and_is_taken_back(
    spent: Sweepable, monkeypatch: pytest.MonkeyPatch
) -> None:
    late = _stale(spent)
    link = os.link

    def linking(source: Path, target: Path, **options: Any) -> None:
        monkeypatch.setattr(os, "link", link)
        # Between look and link: the model is removed and created again.
        spent.sweep_around(1.1)
        spent.publish()
        link(source, target, **options)

    monkeypatch.setattr(os, "link", linking)
    with Staging(spent.layout) as staging:
        assert try_commit(spent.model(), staging, late) is False
    assert not spent.model().generation(late.generation).exists()
    assert spent.refs().labels == {LATEST: 1}
    assert spent.publish() == 2


def test_a_generation_of_another_model_in_the_way_is_not_read_as_ones_own(
    spent: Sweepable,
) -> None:
    """Leave the files of a writer that ended between its late link and taking it back."""
    late = _stale(spent)
    spent.sweep(1.1)
    spent.publish()
    spent.model().generation(2).write_bytes(late._replace(generation=2).render())
    assert spent.refs().generation == 1


def test_refs_that_a_late_settle_installed_are_dropped(spent: Sweepable) -> None:
    before = spent.model().refs_json.read_bytes()
    spent.sweep(1.1)
    spent.publish()
    spent.model().refs_json.unlink()
    spent.model().refs_json.write_bytes(before)
    with Staging(spent.layout) as staging:
        refs = settle(spent.model(), staging)
    assert refs
    assert refs.model_id == read_model_id(spent.model())
    assert spent.model().refs_json.samefile(spent.model().generation(1))


def _mark_removed(store: Sweepable) -> Refs:
    """As a sweep leaves it that ended between the last generation and the rename."""
    return store.opened.change(
        ADDER,
        lambda refs: refs._replace(change=Change("", "", REMOVED, "")),
        verb=REMOVED,
        reason="",
    ).after


def test_a_removal_left_half_done_is_ended_by_the_next_sweep(spent: Sweepable) -> None:
    _mark_removed(spent)
    assert spent.sweep(0)["folders"] == ["models/adder"]
    assert not spent.model().folder.exists()


def test_a_removal_left_half_done_is_ended_by_a_publisher(spent: Sweepable, tmp_path: Path) -> None:
    last = _mark_removed(spent)
    assert _publish(spent, tmp_path).version == 1
    assert spent.refs().model_id != last.model_id
    (left,) = (spent.layout.root / "trash").iterdir()
    assert spent.sweep(1.1)["folders"] == [f"trash/{left.name}"]


def test_a_publisher_that_loses_to_nobody_comes_to_an_end(
    spent: Sweepable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As if it did not look whether the model that it builds on was removed.
    monkeypatch.setattr(
        "model_sync.publishing.publication.newest_to_build_on",
        lambda layout, name, staging: settle(layout.model(name), staging),
    )
    last = _mark_removed(spent)
    with pytest.raises(DamagedError, match=r"^a change of the model 'adder' failed 20 times"):
        _publish(spent, tmp_path)
    assert spent.refs() == last
    assert spent.in_place() == set()


def test_nothing_is_committed_to_a_model_that_was_removed(spent: Sweepable) -> None:
    last = _mark_removed(spent)
    with pytest.raises(NotFoundError, match="was deleted"):
        spent.run("delete-model")
    late = last._replace(generation=last.generation + 1, writer=new_id())
    with Staging(spent.layout) as staging:
        assert try_commit(spent.model(), staging, late) is False


def test_a_model_moved_by_mistake_is_put_back(
    spent: Sweepable, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sweep sleeps between its last look and its rename; the model is created again then."""
    rename = os.rename

    def renaming(source: Any, target: Any, **options: Any) -> None:
        if source == ADDER:
            monkeypatch.setattr(os, "rename", rename)
            shutil.rmtree(spent.model().folder)  # as another who ended the removal
            spent.publish()
        rename(source, target, **options)

    monkeypatch.setattr(os, "rename", renaming)
    found = spent.sweep(1.1)
    assert (found["folders"], found["failures"]) == ([], [])
    assert spent.refs().labels == {LATEST: 1}
    assert spent.in_place() == {1}


def test_a_model_that_was_never_committed_goes_after_a_day(sweepable: Sweepable) -> None:
    with Staging(sweepable.layout) as staging:
        ensure_model(sweepable.model(), staging)
        sweepable.place(staging)
    assert sweepable.sweep(0.9)["folders"] == []
    assert sweepable.sweep(1.1)["folders"] == ["models/adder"]
    assert not sweepable.model().folder.exists()


def test_who_commits_the_first_generation_late_has_lost_to_the_sweep(sweepable: Sweepable) -> None:
    with Staging(sweepable.layout) as staging:
        model_id = ensure_model(sweepable.model(), staging)
        entry = sweepable.place(staging)
    sweepable.sweep(1.1)
    change = Change("late", "2026-11-24T00:00:00Z", "publish", "")
    late = first_refs(ADDER, model_id, writer=new_id(), change=change)
    late = with_version(late, entry, label=LATEST, writer=new_id(), change=change)
    sweepable.publish()
    with Staging(sweepable.layout) as staging:
        assert try_commit(sweepable.model(), staging, late) is False
    assert sweepable.in_place() == {1}


@pytest.mark.parametrize("stranger", ["notes.txt", "versions.bak"])
def test_a_folder_that_holds_what_is_not_ours_is_left_alone(
    sweepable: Sweepable, stranger: str
) -> None:
    with Staging(sweepable.layout) as staging:
        ensure_model(sweepable.model(), staging)
    (sweepable.model().folder / stranger).mkdir()
    assert sweepable.sweep(100)["folders"] == []
    assert (sweepable.model().folder / stranger).exists()


def test_a_newest_generation_that_is_missing_is_damage_and_no_lost_race(
    sweepable: Sweepable,
) -> None:
    for _ in range(4):
        sweepable.publish()
    sweepable.model().generation(4).unlink()
    with pytest.raises(DamagedError, match=r"4\.json is missing or of another model"):
        sweepable.run("retire", version=1)
