"""One link commits a generation: the first writer to link wins."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, Any

import pytest

from model_store.errors import DamagedError
from model_store.reading import read_upward
from model_sync.refs.commit import MAX_LOSSES, Losses, ensure_model, try_commit
from model_sync.store_io.staging import Staging
from tests.support.generations import following
from tests.support.snapshots import FILE, FOLDER, snapshot

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from model_store.layout import ModelLayout, StoreLayout
    from tests.support.durability import Synced

    Link = Callable[..., None]


def test_a_committed_generation_is_there_before_refs_json_is(
    model: ModelLayout, staging: Staging
) -> None:
    first = following(None)
    assert try_commit(model, staging, first) is True
    assert model.generation(1).read_bytes() == first.render()
    assert not model.refs_json.exists()
    assert read_upward(model) == first


@pytest.mark.usefixtures("umask")
def test_everyone_may_read_it(model: ModelLayout, staging: Staging) -> None:
    try_commit(model, staging, following(None))
    assert model.refs_folder.stat().st_mode & 0o7777 == FOLDER
    assert model.generation(1).stat().st_mode & 0o7777 == FILE


def test_it_is_durable_when_true_is_returned(
    layout: StoreLayout, staging: Staging, synced: Synced
) -> None:
    model = layout.model("fresh")
    try_commit(model, staging, following(None, model="fresh"))
    assert synced.lacking(layout.models) == []


def test_who_comes_second_has_lost_and_changes_nothing(
    model: ModelLayout, staging: Staging
) -> None:
    try_commit(model, staging, following(None))
    before = model.generation(1).read_bytes()
    assert try_commit(model, staging, following(None)) is False
    assert model.generation(1).read_bytes() == before
    assert [path.name for path in model.refs_folder.iterdir()] == ["1.json"]


def test_who_has_lost_decides_again_on_what_the_winner_wrote(
    model: ModelLayout, staging: Staging
) -> None:
    first = following(None)
    try_commit(model, staging, first)
    second = following(first)
    assert try_commit(model, staging, second) is True
    assert read_upward(model) == second
    assert set(second.versions) == {1, 2}


def test_a_link_that_the_server_reports_as_existing_may_be_ones_own(
    model: ModelLayout, staging: Staging, layout: StoreLayout, synced: Synced
) -> None:
    mine = following(None)
    with Staging(layout) as same_writer:
        # As if NFS had repeated the request: the first made the link, the second found it.
        assert try_commit(model, same_writer, mine)
    assert try_commit(model, staging, mine) is True
    assert synced.lacking(model.refs_folder) == []


def _link_that_fails(code: int, *, after: bool) -> Link:
    link = os.link

    def failing(source: Path, target: Path, **options: Any) -> None:
        if after:
            link(source, target, **options)
        raise OSError(code, os.strerror(code))

    return failing


@pytest.mark.parametrize("code", [errno.EIO, errno.ESTALE, errno.ETIMEDOUT, errno.EEXIST])
def test_an_answer_that_was_lost_is_settled_by_the_writers_id(
    model: ModelLayout,
    staging: Staging,
    monkeypatch: pytest.MonkeyPatch,
    synced: Synced,
    code: int,
) -> None:
    mine = following(None)
    monkeypatch.setattr(os, "link", _link_that_fails(code, after=True))
    assert try_commit(model, staging, mine) is True
    assert read_upward(model) == mine
    assert synced.lacking(model.refs_folder) == []


@pytest.mark.parametrize("code", [errno.EIO, errno.ENOSPC, errno.EROFS, errno.EMLINK])
def test_a_link_that_was_not_made_is_an_error(
    model: ModelLayout, staging: Staging, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    monkeypatch.setattr(os, "link", _link_that_fails(code, after=False))
    with pytest.raises(OSError, match=r"\[Errno") as caught:
        try_commit(model, staging, following(None))
    assert caught.value.errno == code
    assert read_upward(model) is None


def test_an_error_while_another_won_means_having_lost(
    model: ModelLayout, staging: Staging, monkeypatch: pytest.MonkeyPatch
) -> None:
    try_commit(model, staging, following(None))
    monkeypatch.setattr(os, "link", _link_that_fails(errno.EIO, after=False))
    assert try_commit(model, staging, following(None)) is False


def test_a_damaged_generation_in_the_way_is_named(model: ModelLayout, staging: Staging) -> None:
    model.refs_folder.mkdir()
    model.generation(1).write_bytes(b"")
    with pytest.raises(DamagedError, match=r"refs/1\.json"):
        try_commit(model, staging, following(None))


def test_a_model_gets_its_id_once(layout: StoreLayout, staging: Staging) -> None:
    model = layout.model("fresh")
    made = ensure_model(model, staging)
    before = snapshot(model.folder)
    with Staging(layout) as other:
        assert ensure_model(model, other) == made
    assert snapshot(model.folder) == before
    assert ensure_model(layout.model("other"), staging) != made


def test_of_two_who_give_a_model_its_id_at_once_both_get_the_same(
    layout: StoreLayout, staging: Staging, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, link = layout.model("fresh"), os.link
    got: list[str] = []

    def late(source: Path, target: Path, **options: Any) -> None:
        monkeypatch.setattr(os, "link", link)
        with Staging(layout) as other:
            got.append(ensure_model(model, other))
        link(source, target, **options)

    monkeypatch.setattr(os, "link", late)
    got.append(ensure_model(model, staging))
    assert len(got) == 2
    assert got[0] == got[1]


def test_only_losses_to_nobody_in_a_row_end_a_writer() -> None:
    one = following(None)
    other, losses = following(one), Losses()
    for _ in range(3):
        losses.count(one, other)
        for _ in range(MAX_LOSSES - 1):
            losses.count(one, one)
    losses.count(other, None)
    for _ in range(MAX_LOSSES - 1):
        losses.count(None, None)
    with pytest.raises(DamagedError, match="a change of a new model failed"):
        losses.count(None, None)
