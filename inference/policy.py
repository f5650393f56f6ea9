"""Decides which version answers a call, and what to load and free. Pure functions of values.

- The version that refs name answers as soon as it is warm.
- Until then the version that answered before goes on answering, while the new one loads beside.
- A call waits only when nothing that may answer it is warm.
- A version that failed to load is not tried again for a while; the one before it stays.

What is not here: loading, threads, clocks and the store (manager.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection


class Answer(NamedTuple):
    """Answer with a warm version; load another beside it, where one is named."""

    version: int
    load_beside: int | None = None


class Wait(NamedTuple):
    """Nothing warm may answer: load this version, or join its loading, and wait."""

    version: int


class Refuse(NamedTuple):
    """This version failed to load lately, and nothing else may answer."""

    version: int


def decide(
    *,
    wanted: int,
    before: int | None,
    warm: Collection[int],
    loading: Collection[int],
    refused: Collection[int],
) -> Answer | Wait | Refuse:
    """Decide for one call.

    `wanted` is the version that the call's label or number names now; `before`, the one that
    answered that label last (None for a call by number: no other version may answer it).
    """
    if wanted in warm:
        return Answer(wanted)
    fallback = before if before in warm else None
    if wanted in refused:
        return Refuse(wanted) if fallback is None else Answer(fallback)
    if fallback is None:
        return Wait(wanted)
    return Answer(fallback, load_beside=None if wanted in loading else wanted)


def to_free(
    *, warm: Collection[int], answering: Collection[int], asked_by_number: int | None
) -> frozenset[int]:
    """Name the warm versions to let go: all but those that answer a label, and one more.

    `asked_by_number` is the version that was last called by its number.
    """
    return frozenset(warm) - frozenset(answering) - {asked_by_number}
