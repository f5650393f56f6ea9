"""Preparing within an invocation's time: what does not end in it is ended, and says what to do."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np
import pytest

from model_sync.errors import OutOfTimeError
from model_sync.progress import Silent
from model_sync.publishing.publish import publish_source, read_folder
from model_sync.store_io.create_store import open_store
from model_sync.time_limit import MARGIN_MS, TimeLimit
from tests.support.model_folders import write_bare, write_full
from tests.support.models import write_external_adder

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from model_sync.publishing.publication import PublishResult

LONG_MS = 900_000.0


def publish_within(folder: Path, root: Path, remaining_ms: Callable[[], float]) -> PublishResult:
    source, recipe = read_folder(folder, name="model")
    layout = open_store(root)
    time_limit = TimeLimit(remaining_ms)
    return publish_source(source, recipe, layout, progress=Silent(), time_limit=time_limit)


def time_for(children: int) -> Callable[[], float]:
    """Time enough for so many processes, and none for the next."""
    looks = itertools.count(1)
    return lambda: LONG_MS if next(looks) <= children else MARGIN_MS


def test_a_trial_ends_before_its_invocation_does(tmp_path: Path) -> None:
    folder = write_full(tmp_path / "model", pipeline="import time\ntime.sleep(60)\n")
    with pytest.raises(OutOfTimeError) as caught:
        publish_within(folder, tmp_path / "store", lambda: MARGIN_MS + 40.0)
    assert str(caught.value).startswith(
        "the trial of the model did not end in the 0 s that were left of the invocation: raise "
    )
    assert "or publish where the store is mounted" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not list((tmp_path / "store").glob("models/*/versions/*"))
    assert not list((tmp_path / "store").glob("staging/*"))


@pytest.mark.parametrize(
    ("children", "what"), [(1, "optimizing the graph"), (2, "the trial of the model")]
)
def test_a_form_that_there_is_no_time_for_is_no_form_that_was_refused(
    tmp_path: Path, children: int, what: str
) -> None:
    folder = tmp_path / "model"
    write_external_adder(folder, np.arange(1 << 18), "weights.bin")
    with pytest.raises(OutOfTimeError, match=f"^{what} did not end in the 0 s"):
        publish_within(folder, tmp_path / "store", time_for(children))
    assert not list((tmp_path / "store").glob("models/*/versions/*"))


def test_what_would_be_measured_again_is_not_where_there_is_no_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("model_sync.preparation.build.doubtful", lambda *_: {"plain"})
    published = publish_within(write_bare(tmp_path / "model"), tmp_path / "store", time_for(1))
    assert published.created
