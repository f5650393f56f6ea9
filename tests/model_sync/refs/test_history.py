"""Earlier versions of labels, from earlier generations."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from model_store.errors import DamagedError
from model_store.layout import StoreLayout
from model_store.reading import read_upward
from model_sync.progress import Silent
from model_sync.publishing.publish import publish
from model_sync.refs.history import generations, label_history, last_named, replaced_preparations
from tests.model_sync.refs.test_changes import refs_of
from tests.support.models import write_adder

if TYPE_CHECKING:
    from collections.abc import Iterator
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


def _generations(*prepared: dict[int, str], states: str = "aa") -> list[Refs]:
    """Generations, the oldest first, that name these preparations of their versions."""
    found = []
    for each in prepared:
        refs = refs_of(labels={}, states=states[: max(each, default=0)])
        versions = {
            number: entry._replace(preparations={"ort-1": each[number]} if number in each else {})
            for number, entry in refs.versions.items()
        }
        found.append(refs._replace(versions=versions))
    return found


@pytest.mark.parametrize(
    ("oldest_first", "found"),
    [
        (_generations({1: "a"}, {1: "b"}, {1: "b", 2: "c"}), {"a"}),
        (_generations({1: "b"}, {1: "x"}, {1: "b", 2: "c"}), set()),
        (_generations({1: "a"}, {1: "a"}, {1: "b", 2: "c"}, states="da"), set()),
        (_generations({1: "z", 2: "a"}, {1: "b", 2: "c"}, states="da"), {"a"}),
        (_generations({1: "b", 2: "c"}), set()),
    ],
    ids=["replaced", "never named", "of a deleted version", "of another one", "nothing before"],
)
def test_what_was_replaced_is_found_where_its_version_is_not_deleted(
    oldest_first: list[Refs], found: set[str]
) -> None:
    assert replaced_preparations(reversed(oldest_first), {"a"}) == found


def test_one_looks_back_for_it_no_further_than_its_versions_go() -> None:
    looked_at = []

    def looking() -> Iterator[Refs]:
        before = _generations({}, {}, {1: "b"}, {1: "b"}, {1: "a"}, {1: "b"})
        for refs in reversed(before):
            looked_at.append(len(refs.versions))
            yield refs

    assert replaced_preparations(looking(), {"x"}) == set()
    assert looked_at == [1, 1, 1, 1, 0]
    looked_at.clear()
    assert replaced_preparations(looking(), {"a"}) == {"a"}
    assert looked_at == [1, 1, 1]
