"""What a model's refs were: every generation, the newest first, and what labels named before."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from model_store.errors import DamagedError
from model_store.reading import read_generation

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from model_store.layout import ModelLayout
    from model_store.refs import Refs


def generations(layout: ModelLayout, newest: Refs) -> Iterator[Refs]:
    """Every generation from the newest down to the first, each read when it is asked for.

    Raises DamagedError where one is missing: none is ever deleted.
    """
    yield newest
    for number in range(newest.generation - 1, 0, -1):
        refs = read_generation(layout, number)
        if refs is None:
            raise DamagedError(f"{layout.generation(number)} is missing")
        yield refs


def label_history(newest_first: Iterable[Refs], label: str) -> Iterator[int]:
    """The versions that a label has named, each time it moved, the newest first. Pure.

    While a label was away it named nothing: coming back to where it was is no move.
    """
    before = None
    for refs in newest_first:
        number = refs.labels.get(label)
        if number is not None and number != before:
            yield number
            before = number


def last_named(layout: ModelLayout, newest: Refs, label: str, count: int) -> tuple[int, ...]:
    """The last few versions that a label has named; reads no more generations than that takes."""
    return tuple(islice(label_history(generations(layout, newest), label), count))
