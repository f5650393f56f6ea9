"""Parse and render the store's JSON documents strictly.

`render` gives the only spelling of a document (sorted keys, two spaces, UTF-8, a final newline), so
equal values are equal bytes. `open_document` refuses input that JSON libraries accept: duplicate
keys, NaN, a format newer than this release. `Fields` refuses wrong types and, in `done`, unknown
keys. Each document's own module defines its keys (refs.py, version.py, ...).
"""

from __future__ import annotations

import calendar
import json
import math
import re
import time
from typing import TYPE_CHECKING, Any, Final

from model_store.digests import Digest
from model_store.errors import DamagedError, FormatTooNewError, InvalidNameError

if TYPE_CHECKING:
    from collections.abc import Callable

FORMAT: Final = 1
"""The newest store format that this release reads, and the only one that it writes."""

MAX_DOCUMENT_BYTES: Final = 64 << 20
"""Size limit for reading and writing documents: about 400,000 files or versions."""

_TIME: Final = re.compile(
    r"[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
    r"T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]Z"
)


def now() -> str:
    """Return the time in UTC, to the second, as documents spell it."""
    return timestamp(time.time())


def timestamp(seconds: float) -> str:
    """Spell a time in seconds since 1970. Later times are greater as texts, too."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def seconds_of(text: str) -> float:
    """Return the seconds since 1970 of a text from `timestamp`."""
    return float(calendar.timegm(time.strptime(text, "%Y-%m-%dT%H:%M:%SZ")))


def render(value: dict[str, Any]) -> bytes:
    """Render a document: equal values give equal bytes.

    Raises ValueError for values that no document can hold: NaN, half a surrogate pair, and more
    than MAX_DOCUMENT_BYTES.
    """
    text = json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False)
    data = text.encode() + b"\n"
    if len(data) > MAX_DOCUMENT_BYTES:
        raise ValueError(
            f"a document of {len(data)} bytes is refused: the limit is {MAX_DOCUMENT_BYTES}"
        )
    return data


def open_document(data: bytes, where: str) -> Fields:
    """Parse a document's bytes and take its `format` field.

    Raises FormatTooNewError for a format above FORMAT, DamagedError for anything but a JSON object.
    `where` names the document in messages.
    """
    try:
        value = json.loads(
            data.decode(), object_pairs_hook=_no_duplicates, parse_constant=_no_constants
        )
        if b"\\u" in data:  # may escape half a surrogate pair, which UTF-8 cannot encode
            json.dumps(value, ensure_ascii=False).encode()
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
    """One JSON object whose keys are taken one by one.

    Each method that takes a key raises DamagedError naming the object and the key.
    """

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

    def digest(self, key: str) -> Digest:
        """Take a digest."""
        text = self.text(key)
        try:
            return Digest.parse(text)
        except DamagedError as error:
            raise DamagedError(f"{self.where}: {key!r}: {error}") from error

    def name(self, key: str, check: Callable[[str], str]) -> str:
        """Take a string that `check`, a function of names.py, accepts."""
        return self.checked(self.text(key), check)

    def checked(self, text: str, check: Callable[[str], str]) -> str:
        """Check a string from this object with a function of names.py."""
        try:
            return check(text)
        except InvalidNameError as error:
            raise DamagedError(f"{self.where}: {error}") from error

    def integer(self, key: str, *, minimum: int) -> int:
        """Take an integer of at least `minimum`; true and 1.0 are not integers."""
        value = self._take(key)
        if isinstance(value, bool) or not isinstance(value, int) or value < minimum:
            raise self._wrong(key, f"an integer of at least {minimum}")
        return value

    def number(self, key: str) -> float:
        """Take a finite number of at least zero."""
        value = self._take(key)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self._wrong(key, "a finite number of at least 0")
        try:
            number = float(value)
        except OverflowError:  # an integer too large for a float
            number = math.inf
        if not 0 <= number < math.inf:
            raise self._wrong(key, "a finite number of at least 0")
        return number

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
        texts = tuple(value for value in values if isinstance(value, str))
        if len(texts) != len(values):
            raise self._wrong(key, "a list of strings")
        return texts

    def mapping(self, key: str) -> dict[str, object]:
        """Take an object whose keys are data, not field names."""
        inner = self.fields(key)
        return inner._left  # noqa: SLF001 - its own class

    def fields(self, key: str) -> Fields:
        """Take an object that has fields of its own."""
        return Fields(self._take(key), f"{self.where}: {key}")

    def names(self) -> tuple[str, ...]:
        """Return the keys that were not taken yet."""
        return tuple(self._left)

    def flag(self, key: str) -> bool:
        """Take a boolean."""
        value = self._take(key)
        if not isinstance(value, bool):
            raise self._wrong(key, "true or false")
        return value

    def is_null(self, key: str) -> bool:
        """Return True, and take the key, if it holds null."""
        if key in self._left and self._left[key] is None:
            del self._left[key]
            return True
        return False

    def done(self) -> None:
        """Raise DamagedError if a key was not taken: within one format, unknown keys are damage."""
        if self._left:
            unknown = ", ".join(ascii(key) for key in sorted(self._left))
            raise DamagedError(f"{self.where} holds unknown keys: {unknown}")

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
        raise ValueError("an object has a key twice")
    return value


def _no_constants(name: str) -> object:
    raise ValueError(f"{name} is not a JSON value")
