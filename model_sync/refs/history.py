"""The history of a model's refs: all generations, and the versions that labels have named."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from model_store.errors import DamagedError
from model_store.reading import read_generation
from model_store.refs import State

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from model_store.layout import ModelLayout
    from model_store.refs import Refs


def generations(layout: ModelLayout, newest: Refs) -> Iterator[Refs]:
    """Yield every generation from the newest down to the first, each read on demand.

    Raises DamagedError if one is missing: generations are never deleted.
    """
    yield newest
    for number in range(newest.generation - 1, 0, -1):
        refs = read_generation(layout, number)
        if refs is None:
            raise DamagedError(f"{layout.generation(number)} is missing")
        yield refs


def label_history(newest_first: Iterable[Refs], label: str) -> Iterator[int]:
    """Yield the versions that a label has named, the newest first, one for each move. Pure.

    A label that was removed and then put back on the same version has not moved.
    """
    before = None
    for refs in newest_first:
        number = refs.labels.get(label)
        if number is not None and number != before:
            yield number
            before = number


def last_named(layout: ModelLayout, newest: Refs, label: str, count: int) -> tuple[int, ...]:
    """Return the last `count` versions of a label; reads only as many generations as needed."""
    return tuple(islice(label_history(generations(layout, newest), label), count))


def replaced_preparations(newest_first: Iterable[Refs], ids: Collection[str]) -> frozenset[str]:
    """Return those of these preparations that refs once named for a version that still exists.

    Pure. Looks back no further than the first generation with one of these versions.
    """
    open_ids, replaced = set(ids), set()
    kept: set[int] | None = None
    for refs in newest_first:
        if kept is None:
            states = refs.versions.items()
            kept = {number for number, entry in states if entry.state is not State.DELETED}
        numbers = kept & refs.versions.keys()
        if not open_ids or not numbers:
            break
        for number in numbers:
            replaced |= open_ids & set(refs.versions[number].preparations.values())
        open_ids -= replaced
    return frozenset(replaced)


class LookBack(NamedTuple):
    """The facts of a model's history that the sweep needs."""

    named: Mapping[str, tuple[int, ...]]
    """For each existing label: the last two versions that it named, the newest first."""
    retired_by: Mapping[int, int]
    """For each retired version: the generation that last retired it."""


def look_back(newest_first: Iterable[Refs], retired: Collection[int]) -> LookBack:
    """Collect these facts from the newest generation back, no further than needed. Pure."""
    named: dict[str, list[int]] = {}
    retired_by: dict[int, int] = {}
    open_labels: set[str] = set()
    open_versions = set(retired)
    newest = None
    for refs in newest_first:
        if newest is None:
            newest = refs
            named = {label: [] for label in refs.labels}
            open_labels = set(named)
        for label in tuple(open_labels):
            number = refs.labels.get(label)
            if number is not None and number not in named[label][-1:]:
                named[label].append(number)
            if len(named[label]) == 2:
                open_labels.discard(label)
        for number in tuple(open_versions):
            entry, now = refs.versions.get(number), newest.versions[number]
            if entry and (entry.state, entry.retired_at) == (now.state, now.retired_at):
                retired_by[number] = refs.generation
            else:
                open_versions.discard(number)
        if not open_labels and not open_versions:
            break
    return LookBack({label: tuple(numbers) for label, numbers in named.items()}, retired_by)
