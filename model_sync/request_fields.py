"""Fields of a request, by name: from the command line, or from a request's JSON. Pure.

Each method that takes a field raises RequestError naming the field. `done` refuses the fields that
are left: a field that a newer caller sends is not ignored silently.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from model_store.errors import InvalidNameError
from model_store.names import check_label, check_model
from model_sync.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Mapping

MOST_CHARACTERS: Final = 1024
_MOST_DIGITS: Final = 18


class Reference(NamedTuple):
    """A model, with a version or a label if one is named: `magika`, `magika@7`, `magika:x`.

    `parse(str(reference)) == reference`.
    """

    model: str
    version: int | None = None
    label: str | None = None

    def __str__(self) -> str:
        if self.version is not None:
            return f"{self.model}@{self.version}"
        return self.model if self.label is None else f"{self.model}:{self.label}"

    @classmethod
    def parse(cls, text: str) -> Reference:
        """Read a reference; raises RequestError."""
        try:
            if "@" in text:
                model, _, version = text.partition("@")
                return cls(check_model(model), version=parse_version(version))
            if ":" in text:
                model, _, label = text.partition(":")
                return cls(check_model(model), label=check_label(label))
            return cls(check_model(text))
        except InvalidNameError as error:
            raise RequestError(f"{error} (a model is named NAME, NAME@7 or NAME:label)") from None


def parse_version(text: str) -> int:
    """Return the version number that a text holds; raises RequestError."""
    if not (text.isascii() and text.isdecimal()) or len(text) > _MOST_DIGITS or int(text) < 1:
        raise RequestError(f"{text[:40]!r} is no version: versions are numbers from 1 on")
    return int(text)


class RequestFields:
    """Fields of one request. A field that is None counts as missing."""

    def __init__(self, fields: Mapping[str, Any]) -> None:
        self._left = {key: value for key, value in fields.items() if value is not None}

    def text(self, key: str) -> str:
        """Take a text, which is required."""
        value = self.optional_text(key)
        if value is None:
            raise RequestError(f"{key!r} is missing")
        return value

    def optional_text(self, key: str) -> str | None:
        """Take a text; None if missing."""
        value = self._left.pop(key, None)
        if value is None:
            return None
        if not isinstance(value, str) or len(value) > MOST_CHARACTERS:
            raise RequestError(f"{key!r} is not a text of at most {MOST_CHARACTERS} characters")
        try:
            value.encode()
        except UnicodeEncodeError:
            raise RequestError(f"{key!r} is not UTF-8 text") from None
        return value

    def model(self, key: str = "model") -> str:
        """Take a model's name."""
        return self._checked(key, check_model)

    def label(self, key: str, default: str | None = None) -> str:
        """Take a label; `default` if missing."""
        if default is not None and key not in self._left:
            return default
        return self._checked(key, check_label)

    def job(self) -> str:
        """Take the name of a job that holds a version."""
        try:
            return check_label(self.text("job"))
        except InvalidNameError as error:  # jobs are spelled as labels are
            raise RequestError(f"job{str(error).removeprefix('label')}") from None

    def reference(self, key: str = "model") -> Reference:
        """Take a model's name, with a version or label if one is named."""
        return Reference.parse(self.text(key))

    def optional_version(self, key: str) -> int | None:
        """Take a version's number; None if missing."""
        if key not in self._left:
            return None
        return self.whole(key, 1, 10**_MOST_DIGITS)

    def whole(self, key: str, lowest: int, highest: int) -> int:
        """Take a whole number from `lowest` to `highest`."""
        value = self._left.pop(key, None)
        if type(value) is not int or not lowest <= value <= highest:
            raise RequestError(
                f"{key!r} is {value!r}: expected a number from {lowest} to {highest}"
            )
        return value

    def flag(self, key: str) -> bool:
        """Take true or false; false if missing."""
        value = self._left.pop(key, False)
        if type(value) is not bool:
            raise RequestError(f"{key!r} is {value!r}: expected true or false")
        return value

    def shares(self, key: str) -> dict[str, int]:
        """Take percentages by label."""
        value = self._left.pop(key, None)
        if not isinstance(value, dict):
            raise RequestError(f"{key!r} is {value!r}: expected percentages by label")
        shares = {}
        for label, percent in value.items():
            if type(percent) is not int:
                raise RequestError(f"{label}={percent!r} is no share: expected a whole percentage")
            shares[_check(str(label), check_label)] = percent
        return shares

    def done(self) -> None:
        """Raise RequestError if fields are left that were not taken."""
        if self._left:
            raise RequestError(f"{min(self._left)!r} is no field of this verb")

    def _checked(self, key: str, check: Any) -> str:
        return _check(self.text(key), check)


def _check(text: str, check: Any) -> str:
    try:
        checked: str = check(text)
    except InvalidNameError as error:
        raise RequestError(str(error)) from None
    return checked
