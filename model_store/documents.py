"""Reading and writing the store's JSON documents: strict in, one spelling out.

`render` gives the only spelling of a document (sorted keys, two spaces, UTF-8, a final newline),
so equal values are equal bytes. `open_document` refuses what JSON libraries let pass: duplicate
keys, NaN, a format newer than this release; `Fields` refuses wrong types and, by `done`, keys
that nobody took. Which keys there are is each document's own business (refs.py, version.py, ...).
"""

from __future__ import annotations

import json
import math
import re
import time
from typing import Any, Final

from model_store.errors import DamagedError, FormatTooNewError

FORMAT: Final = 1
"""The newest store format that this release reads, and the one that it writes."""

_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


def now() -> str:
    """The time in UTC, to the second, as documents spell it."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def render(value: dict[str, Any]) -> bytes:
    """Spell a document: the same value always gives the same bytes."""
    text = json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False)
    return text.encode() + b"\n"


def open_document(data: bytes, where: str) -> Fields:
    """Parse a document's bytes and take its `format`.

    Raises FormatTooNewError for a format above FORMAT, DamagedError for what is no JSON object.
    `where` names the document in messages.
    """
    try:
        value = json.loads(data, object_pairs_hook=_no_duplicates, parse_constant=_no_constants)
    except (ValueError, RecursionError) as error:
        raise DamagedError(f"{where} is not a JSON document: {error}") from error
    fields = Fields(value, where)
    number = fields.integer("format", minimum=1)
    if number > FORMAT:
        raise FormatTooNewError(
            f"{where} has format {number}; this release reads formats up to {FORMAT}: upgrade it"
        )
    return fields


class Fields:
    """One JSON object, taken key by key. Each `take` raises DamagedError naming place and key."""

    def __init__(self, value: object, where: str) -> None:
        if not isinstance(value, dict):
            raise DamagedError(f"{where} is not a JSON object")
        self._left: dict[str, object] = dict(value)
        self.where = where

    def text(self, key: str) -> str:
        """Take a string."""
        value = self._take(key)
        if not isinstance(value, str):
            raise self._wrong(key, "a string")
        return value

    def integer(self, key: str, *, minimum: int) -> int:
        """Take an integer of at least `minimum`; true and 1.0 are no integers."""
        value = self._take(key)
        if isinstance(value, bool) or not isinstance(value, int) or value < minimum:
            raise self._wrong(key, f"an integer of at least {minimum}")
        return value

    def number(self, key: str) -> float:
        """Take a finite number of at least zero."""
        value = self._take(key)
        if (
            isinstance(value, bool)
            or not isinstance(value, int | float)
            or not 0 <= value < math.inf
        ):
            raise self._wrong(key, "a finite number of at least 0")
        return float(value)

    def time(self, key: str) -> str:
        """Take a time in UTC, to the second: `2026-11-23T21:09:35Z`."""
        value = self._take(key)
        if not isinstance(value, str) or not _TIME.fullmatch(value):
            raise self._wrong(key, "a time like 2026-11-23T21:09:35Z")
        return value

    def items(self, key: str) -> list[object]:
        """Take a list."""
        value = self._take(key)
        if not isinstance(value, list):
            raise self._wrong(key, "a list")
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        """Take a list of strings."""
        values = self.items(key)
        if not all(isinstance(value, str) for value in values):
            raise self._wrong(key, "a list of strings")
        return tuple(str(value) for value in values)

    def mapping(self, key: str) -> dict[str, object]:
        """Take an object whose keys are data, not names of fields."""
        inner = self.fields(key)
        return inner._left  # noqa: SLF001 - of its own class

    def fields(self, key: str) -> Fields:
        """Take an object with fields of its own."""
        return Fields(self._take(key), f"{self.where}: {key}")

    def names(self) -> tuple[str, ...]:
        """The keys that nobody took yet."""
        return tuple(self._left)

    def is_null(self, key: str) -> bool:
        """Tell whether a key holds null; if so, take it."""
        if key in self._left and self._left[key] is None:
            del self._left[key]
            return True
        return False

    def done(self) -> None:
        """Refuse keys that nobody took: within one format they mean damage."""
        if self._left:
            raise DamagedError(f"{self.where} holds unknown keys: {', '.join(sorted(self._left))}")

    def _take(self, key: str) -> object:
        try:
            return self._left.pop(key)
        except KeyError:
            raise DamagedError(f"{self.where} lacks {key!r}") from None

    def _wrong(self, key: str, expected: str) -> DamagedError:
        return DamagedError(f"{self.where}: {key!r} is not {expected}")


def _no_duplicates(pairs: list[tuple[str, object]]) -> dict[str, object]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a key stands twice in one object")
    return value


def _no_constants(name: str) -> object:
    raise ValueError(f"{name} is not a JSON value")
