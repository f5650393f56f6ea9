"""`settle` makes `refs.json` the newest generation, whatever a crash or another left."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from model_store.errors import DamagedError
from model_sync.refs.commit import settle, try_commit
from model_sync.store_io.staging import Staging
from tests.support.generations import following
from tests.support.snapshots import snapshot

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from model_store.layout import ModelLayout, StoreLayout
    from model_store.refs import Refs
    from tests.support.durability import Synced


def _commit(model: ModelLayout, staging: Staging, count: int) -> list[Refs]:
    """Commit generations, as by writers that ended before they settled."""
    made: list[Refs] = []
    for _ in range(count):
        made.append(following(made[-1] if made else None))
        assert try_commit(model, staging, made[-1])
    return made


def _is_installed(model: ModelLayout, refs: Refs) -> bool:
    """The very file, not a copy of it."""
    return model.refs_json.samefile(model.generation(refs.generation))


def _left(staging: Staging) -> list[str]:
    """Return the entries of staging, except refs that were linked from there."""
    return [path.name for path in staging.folder.iterdir() if path.stat().st_nlink == 1]


def test_there_is_nothing_to_settle_before_the_first_generation(
    model: ModelLayout, staging: Staging
) -> None:
    before = snapshot(model.folder)
    assert settle(model, staging) is None
    assert snapshot(model.folder) == before


@pytest.mark.parametrize("count", [1, 2, 5])
def test_missing_refs_json_is_installed(
    model: ModelLayout, staging: Staging, layout: StoreLayout, synced: Synced, count: int
) -> None:
    made = _commit(model, staging, count)
    with Staging(layout) as settling:
        assert settle(model, settling) == made[-1]
        assert list(settling.folder.iterdir()) == []
    assert _is_installed(model, made[-1])
    assert synced.lacking(model.folder) == []


def test_refs_json_that_is_behind_is_brought_up(
    model: ModelLayout, staging: Staging, layout: StoreLayout
) -> None:
    first = following(None)
    try_commit(model, staging, first)
    settle(model, staging)
    second = following(first)
    third = following(second)
    for refs in (second, third):
        try_commit(model, staging, refs)
    assert _is_installed(model, first)
    with Staging(layout) as settling:
        assert settle(model, settling) == third
        assert list(settling.folder.iterdir()) == []
    assert _is_installed(model, third)


def test_nothing_is_written_when_refs_json_is_current(model: ModelLayout, staging: Staging) -> None:
    made = _commit(model, staging, 2)
    settle(model, staging)
    before, staged = snapshot(model.folder), snapshot(staging.folder)
    assert settle(model, staging) == made[-1]
    assert snapshot(model.folder) == before
    assert snapshot(staging.folder) == staged


def test_older_generations_stay_as_history(model: ModelLayout, staging: Staging) -> None:
    made = _commit(model, staging, 3)
    settle(model, staging)
    assert [model.generation(refs.generation).read_bytes() for refs in made] == [
        refs.render() for refs in made
    ]
    assert sorted(path.name for path in model.folder.iterdir()) == ["refs", "refs.json"]


def _when_linking(
    monkeypatch: pytest.MonkeyPatch, meanwhile: Callable[[], object], *, after: bool
) -> None:
    """Let something happen before or after the next link of this process, and only then."""
    link = os.link

    def linking(source: Path, target: Path, **options: Any) -> None:
        monkeypatch.setattr(os, "link", link)
        if not after:
            meanwhile()
        link(source, target, **options)
        if after:
            meanwhile()

    monkeypatch.setattr(os, "link", linking)


def test_a_generation_that_comes_meanwhile_is_installed_too(
    model: ModelLayout, staging: Staging, layout: StoreLayout, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = following(None)
    try_commit(model, staging, first)
    second = following(first)
    _when_linking(monkeypatch, lambda: try_commit(model, staging, second), after=True)
    with Staging(layout) as settling:
        assert settle(model, settling) == second
        assert list(settling.folder.iterdir()) == []
    assert _is_installed(model, second)


def test_a_slow_writer_does_not_leave_an_older_generation_installed(
    model: ModelLayout, staging: Staging, layout: StoreLayout, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = following(None)
    try_commit(model, staging, first)
    second = following(first)

    def another_publishes() -> None:
        try_commit(model, staging, second)
        settle(model, staging)

    _when_linking(monkeypatch, another_publishes, after=True)
    with Staging(layout) as slow:
        assert settle(model, slow) == second
    assert _is_installed(model, second)


@pytest.mark.parametrize("after", [False, True])
def test_two_who_install_the_same_generation_leave_no_name_behind(
    model: ModelLayout,
    staging: Staging,
    layout: StoreLayout,
    monkeypatch: pytest.MonkeyPatch,
    *,
    after: bool,
) -> None:
    (only,) = _commit(model, staging, 1)
    _when_linking(monkeypatch, lambda: settle(model, staging), after=after)
    with Staging(layout) as settling:
        # Renaming a file over another name of itself does nothing: its first name stays.
        assert settle(model, settling) == only
        assert list(settling.folder.iterdir()) == []
    assert _is_installed(model, only)
    assert _left(staging) == []


@pytest.mark.parametrize("name", ["refs.json", "refs/2.json"])
def test_damage_is_named_and_not_written_over(
    model: ModelLayout, staging: Staging, name: str
) -> None:
    _commit(model, staging, 2)
    (model.folder / name).unlink(missing_ok=True)
    (model.folder / name).write_bytes(b"damaged")
    before = snapshot(model.folder)
    with pytest.raises(DamagedError, match=name):
        settle(model, staging)
    assert snapshot(model.folder) == before
