"""How messages spell numbers of things, and texts that somebody else wrote. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

_MOST_NUMBERS: Final = 10


def pluralize(count: int, thing: str) -> str:
    """So many of a thing: `1 version`, `2 versions`, `0 package sets`."""
    return f"{count} {thing}{'' if count == 1 else 's'}"


def list_labels(labels: Iterable[str]) -> str:
    """What to name instead of a label that is not there: `its labels are canary, latest`."""
    names = sorted(labels)
    if not names:
        return "it has no label"
    return f"its label{' is' if len(names) == 1 else 's are'} {', '.join(names)}"


def list_versions(numbers: Iterable[int]) -> str:
    """What to name instead of a version that is not there: `there are 1, 2, 3`."""
    known = sorted(numbers)
    if not known:
        return "it has none"
    if len(known) > _MOST_NUMBERS:
        return f"there are {known[0]} to {known[-1]}"
    return f"there {'is' if len(known) == 1 else 'are'} {', '.join(map(str, known))}"
