"""Requirements, and the list of all of them.

A requirement is a function that takes a Server and raises AssertionError if the server does not
meet it, or NotOfferedError if the server does not offer the tested part. Its name is a sentence.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from .server import Server

    Check = Callable[[Server], None]


class Level(enum.Enum):
    """Level of a requirement."""

    MUST = "MUST"
    """The specification says so, or nothing that it says would have a meaning otherwise."""
    SHOULD = "SHOULD"
    """The specification leaves it open; clients rely on it, or HTTP's own specification says it."""
    EXTENSION = "extension"
    """It holds for a server that offers the extension."""


class NotOfferedError(Exception):
    """The server has nothing that the requirement could be tried on; the message says what."""


@dataclass(frozen=True, slots=True)
class Requirement:
    """One requirement. `section` names where it follows from, README.md says in which document."""

    id: str
    level: Level
    section: str
    sentence: str
    check: Check
    extension: str | None = None

    def __str__(self) -> str:
        return f"{self.id}: {self.sentence}"

    def try_on(self, server: Server) -> None:
        """Raise AssertionError if it is not met, NotOfferedError if it cannot be tried."""
        if self.extension is not None and not server.offers(self.extension):
            raise NotOfferedError(f"the extension {self.extension!r}")
        self.check(server)


ALL: dict[str, Requirement] = {}
"""Every requirement by its id, once the modules that state them are imported."""


def add(requirement: Requirement) -> None:
    """Add to the list; ids are used once."""
    assert requirement.id not in ALL, requirement.id
    ALL[requirement.id] = requirement


def must(name: str, section: str) -> Callable[[Check], Check]:
    """State what every server has to meet."""
    return _stated(name, Level.MUST, section, None)


def should(name: str, section: str) -> Callable[[Check], Check]:
    """State what clients may expect of every server."""
    return _stated(name, Level.SHOULD, section, None)


def extension(offered: str, name: str, section: str) -> Callable[[Check], Check]:
    """State what a server that offers an extension has to meet."""
    return _stated(name, Level.EXTENSION, section, offered)


def _stated(name: str, level: Level, section: str, offered: str | None) -> Callable[[Check], Check]:
    def state(check: Check) -> Check:
        sentence = check.__name__.replace("_", " ")
        add(Requirement(name, level, section, sentence, check, offered))
        return check

    return state
