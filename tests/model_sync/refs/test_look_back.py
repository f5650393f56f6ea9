"""A model's history for a sweep: labels' last versions, and the retirement of versions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from model_sync.refs import changes
from model_sync.refs.history import LookBack, look_back
from tests.support.generations import following

if TYPE_CHECKING:
    from collections.abc import Iterator

    from model_store.refs import Refs

T1, T2 = "2026-11-24T00:00:00Z", "2026-11-25T00:00:00Z"


class _Made:
    """Generations, by the changes that verbs make."""

    def __init__(self, versions: int) -> None:
        self.all: list[Refs] = []
        for _ in range(versions):
            self.all.append(following(self.all[-1] if self.all else None))

    def add(self, refs: Refs) -> None:
        self.all.append(refs._replace(generation=self.newest.generation + 1))

    @property
    def newest(self) -> Refs:
        return self.all[-1]

    def retire(self, number: int, now: str) -> None:
        self.add(changes.retire(self.newest, number, now=now, sweep_after=now))

    def promote(self, number: int, label: str) -> None:
        self.add(changes.promote(self.newest, number, label))

    def back(self, *retired: int) -> LookBack:
        return look_back(reversed(self.all), retired)


@pytest.mark.parametrize(("versions", "expected"), [(1, (1,)), (2, (2, 1)), (5, (5, 4))])
def test_the_last_two_that_a_label_named(versions: int, expected: tuple[int, ...]) -> None:
    assert _Made(versions).back().named == {"latest": expected}


def test_a_label_that_came_back_to_where_it_was_has_moved_nowhere() -> None:
    made = _Made(2)
    made.add(changes.remove_label(made.newest, "latest"))
    assert made.back().named == {}, "it does not exist"
    made.promote(2, "latest")
    assert made.back().named == {"latest": (2, 1)}


def test_the_generation_that_retired_it_the_last_time() -> None:
    made = _Made(3)
    made.retire(1, T1)
    made.promote(1, "back")
    made.add(changes.remove_label(made.newest, "back"))
    made.retire(1, T2)
    by = made.newest.generation
    made.promote(2, "latest")
    made.promote(3, "latest")
    assert made.back(1).retired_by == {1: by}


def test_a_version_that_was_born_retired_is_known_from_then() -> None:
    made = _Made(1)
    made.all[0] = changes.retire_all(made.all[0], now=T1, sweep_after=T1)
    assert made.back(1).retired_by == {1: 1}


def test_it_looks_no_further_back_than_it_must() -> None:
    made = _Made(9)
    made.retire(1, T1)
    read = 0

    def counted() -> Iterator[Refs]:
        nonlocal read
        for refs in reversed(made.all):
            read += 1
            yield refs

    assert look_back(counted(), [1]) == LookBack({"latest": (9, 8)}, {1: 10})
    assert read == 3
