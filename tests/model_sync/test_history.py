"""What labels named before, from the generations that were."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from model_store.errors import DamagedError
from model_store.layout import StoreLayout
from model_store.reading import read_upward
from model_sync.history import generations, label_history, last_named
from model_sync.progress import Silent
from model_sync.publish import publish
from tests.model_sync.test_changes import refs_of
from tests.tiny_models import write_adder

if TYPE_CHECKING:
    from pathlib import Path

    from model_store.refs import Refs


@pytest.mark.parametrize(
    ("named", "history"),
    [
        ([], []),
        ([1], [1]),
        ([1, 1, 1], [1]),
        ([1, 2, 2, 1], [1, 2, 1]),
        ([None, 1, None, 1, 2], [2, 1]),
        ([1, 2, None], [2, 1]),
    ],
)
def test_a_labels_history_is_its_moves_the_newest_first(
    named: list[int | None], history: list[int]
) -> None:
    oldest_first = [
        refs_of(labels={} if number is None else {"latest": number}) for number in named
    ]
    assert list(label_history(reversed(oldest_first), "latest")) == history


@pytest.fixture
def adder(tmp_path: Path) -> StoreLayout:
    """A model of four versions, published one after the other."""
    for constant in range(1, 5):
        write_adder(tmp_path / "adder", constant)
        publish(tmp_path / "adder", tmp_path / "store", progress=Silent())
    return StoreLayout(tmp_path / "store")


def newest(layout: StoreLayout) -> Refs:
    refs = read_upward(layout.model("adder"))
    assert refs
    return refs


def test_every_generation_is_there_the_newest_first(adder: StoreLayout) -> None:
    found = [refs.generation for refs in generations(adder.model("adder"), newest(adder))]
    assert found == [4, 3, 2, 1]


def test_no_more_is_read_than_is_asked_for(adder: StoreLayout) -> None:
    refs = newest(adder)
    for number in (1, 2):  # reading them would fail
        adder.model("adder").generation(number).unlink()
    assert last_named(adder.model("adder"), refs, "latest", 2) == (4, 3)


def test_a_generation_that_is_missing_is_damage(adder: StoreLayout) -> None:
    adder.model("adder").generation(2).unlink()
    with pytest.raises(DamagedError, match=r"2\.json is missing"):
        list(generations(adder.model("adder"), newest(adder)))
