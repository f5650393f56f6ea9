"""Strict reader of a stage's TOML: each key once, of its type and in its range, none unknown.

Each error is one line that names the file and the key. The keys are defined in settings.py.
"""

from __future__ import annotations

import math
import tomllib
from typing import TYPE_CHECKING, Any, Self, TypeVar

from infra.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

T = TypeVar("T", int, str)


class StageTable:
    """A table of a TOML file, whose keys are taken one by one; `done` refuses remaining keys."""

    def __init__(self, values: Mapping[str, Any], where: str, prefix: str = "") -> None:
        self._left = dict(values)
        self._where = where
        self._prefix = prefix

    @classmethod
    def of_file(cls, path: Path) -> Self:
        """Read a file's outermost table; raises SettingsError."""
        try:
            return cls(tomllib.loads(path.read_text("utf-8")), str(path))
        except (OSError, ValueError) as error:
            raise SettingsError(f"{path} cannot be read: {error}") from error

    def table(self, key: str) -> StageTable:
        """Take a table; a missing table is empty."""
        value = self._left.pop(key, {})
        if not isinstance(value, dict):
            raise self.wrong(key, value, "a table")
        return StageTable(value, self._where, f"{self._prefix}{key}.")

    def whole(self, key: str, lowest: int, highest: int, default: int) -> int:
        """Take a whole number within bounds."""
        value = self._left.pop(key, default)
        if type(value) is not int or not lowest <= value <= highest:
            raise self.wrong(key, value, f"a whole number from {lowest} to {highest}")
        return value

    def optional_whole(self, key: str, lowest: int, highest: int) -> int | None:
        """Take a whole number within bounds, or None where there is none."""
        return self.whole(key, lowest, highest, lowest) if key in self._left else None

    def number(self, key: str, default: float) -> float:
        """Take a finite number that is not negative."""
        value = self._left.pop(key, default)
        if type(value) not in {int, float} or not 0 <= value < math.inf:
            raise self.wrong(key, value, "a number, 0 or more")
        return float(value)

    def flag(self, key: str, *, default: bool) -> bool:
        """Take true or false."""
        value = self._left.pop(key, default)
        if type(value) is not bool:
            raise self.wrong(key, value, "true or false")
        return value

    def one_of(self, key: str, choices: Collection[T], default: T) -> T:
        """Take one of a few values."""
        value: T = self._left.pop(key, default)
        if type(value) is not type(default) or value not in choices:
            raise self.wrong(key, value, f"one of {', '.join(map(str, choices))}")
        return value

    def text(self, key: str) -> str:
        """Take a required text that is not empty."""
        return self._text(key, self._taken(key))

    def optional_text(self, key: str) -> str | None:
        """Take a text that is not empty, or None where there is none."""
        return self._text(key, self._left.pop(key)) if key in self._left else None

    def texts(self, key: str) -> tuple[str, ...]:
        """Take a list of at least one text, none of them empty."""
        values = self._taken(key)
        if not isinstance(values, list) or not values:
            raise self.wrong(key, values, "a list of texts")
        return tuple(self._text(key, value) for value in values)

    def optional_texts(self, key: str) -> tuple[str, ...] | None:
        """Take a list of texts, none of them empty; None if the key is not there."""
        if key not in self._left:
            return None
        values = self._taken(key)
        if not isinstance(values, list):
            raise self.wrong(key, values, "a list of texts")
        return tuple(self._text(key, value) for value in values)

    def done(self) -> None:
        """Refuse keys that were not taken."""
        if self._left:
            key = min(self._left)
            raise SettingsError(f"{self._where}: {self._prefix}{key} is not a setting here")

    def wrong(self, key: str, value: object, expected: str) -> SettingsError:
        """Return the error for a value of the wrong type or range."""
        return SettingsError(
            f"{self._where}: {self._prefix}{key} is {value!r}: expected {expected}"
        )

    def _taken(self, key: str) -> object:
        if key not in self._left:
            raise SettingsError(f"{self._where}: {self._prefix}{key} is missing")
        return self._left.pop(key)

    def _text(self, key: str, value: object) -> str:
        if not isinstance(value, str) or not value:
            raise self.wrong(key, value, "a text")
        return value
