"""Counts, labels and versions as text, for messages. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

_MOST_NUMBERS: Final = 10


def pluralize(count: int, thing: str) -> str:
    """Return a count with its noun: `1 version`, `2 versions`, `0 package sets`."""
    return f"{count} {thing}{'' if count == 1 else 's'}"


def list_labels(labels: Iterable[str]) -> str:
    """Return the labels that exist, after a missing one: `its labels are canary, latest`."""
    names = sorted(labels)
    if not names:
        return "it has no label"
    return f"its label{' is' if len(names) == 1 else 's are'} {', '.join(names)}"


def list_versions(numbers: Iterable[int]) -> str:
    """Return the versions that exist, after a missing one: `there are 1, 2, 3`."""
    ordered = sorted(numbers)
    if not ordered:
        return "it has none"
    if len(ordered) > _MOST_NUMBERS:
        return f"there are {ordered[0]} to {ordered[-1]}"
    return f"there {'is' if len(ordered) == 1 else 'are'} {', '.join(map(str, ordered))}"
