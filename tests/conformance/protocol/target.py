"""Address of the server to test, and facts about it that the server does not report."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Target:
    """A server to try.

    `models` are its models' names: none for what its repository lists. `identities` are those of
    them whose outputs are their inputs: none for those whose names begin with "identity".
    `extensions` are expected whether `/v2` lists them or not. `labels` are pairs of a model and a
    label of it. With `everything`, what is not offered has failed.
    """

    url: str
    models: tuple[str, ...] = ()
    identities: tuple[str, ...] = ()
    extensions: tuple[str, ...] = ()
    labels: tuple[tuple[str, str], ...] = ()
    everything: bool = False


def read_target(
    url: str, description: Path | None, models: Sequence[str] = (), *, everything: bool = False
) -> Target:
    """Make a target of what the command line says; raises ValueError for a key that is unknown."""
    given: dict[str, Any] = {}
    if description is not None:
        given = tomllib.loads(description.read_text())
    unknown = given.keys() - {"models", "identities", "extensions", "labels"}
    if unknown:
        raise ValueError(f"{description}: unknown keys {sorted(unknown)}")
    return Target(
        url=url.rstrip("/"),
        models=(*given.get("models", ()), *models),
        identities=tuple(given.get("identities", ())),
        extensions=tuple(given.get("extensions", ())),
        labels=tuple(given.get("labels", {}).items()),
        everything=everything,
    )
