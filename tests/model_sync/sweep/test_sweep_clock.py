"""Nothing is swept by a clock that is not the file system's."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from model_store.errors import StoreUnreachableError
from model_sync.admin.operations import run_operation
from model_sync.errors import ChangeError

if TYPE_CHECKING:
    from tests.support.sweepable import Sweepable


@pytest.mark.parametrize(("ahead_s", "where"), [(90, "ahead of"), (-90, "behind")])
def test_a_wrong_clock_is_refused_and_nothing_is_deleted(
    sweepable: Sweepable, monkeypatch: pytest.MonkeyPatch, ahead_s: int, where: str
) -> None:
    sweepable.retired()
    clock = time.time
    monkeypatch.setattr(time, "time", lambda: clock() + ahead_s * 10_000)
    with pytest.raises(ChangeError, match=rf"^this machine's clock is \d+ s {where} the file sys"):
        run_operation("sweep", sweepable.opened, {})
    monkeypatch.setattr(time, "time", clock)
    assert sweepable.in_place() == {1, 2, 3, 4}


def test_a_few_seconds_are_no_matter(sweepable: Sweepable, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = time.time
    monkeypatch.setattr(time, "time", lambda: clock() + 20)
    assert run_operation("sweep", sweepable.opened, {})["failures"] == []


def test_a_store_that_is_away_is_not_swept(sweepable: Sweepable) -> None:
    sweepable.retired()
    sweepable.layout.store_json.unlink()
    for fields in ({}, {"dry_run": True}):
        with pytest.raises(StoreUnreachableError):
            run_operation("sweep", sweepable.opened, fields)
    assert sweepable.in_place() == {1, 2, 3, 4}
