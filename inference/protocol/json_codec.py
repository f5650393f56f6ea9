"""The JSON reader and writer, orjson (docs/adr/0005-one-json-library.md says why). Pure.

The reader is strict (RFC 8259): no NaN, no numbers beyond a float's range, UTF-8 only. It reads an
integer of more than 64 bits as a float. The writer is compact. It writes arrays directly, not as
lists; a float32 with the fewest digits that restore it; NaN and infinity as null.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import orjson

from inference.errors import BadRequestError

_SHOWN: Final = 20
"""Characters of an invalid text that an error shows."""

_OPTIONS: Final = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS


def read(text: bytes | memoryview | str) -> Any:
    """Read a JSON value; raises ValueError with one line: what is wrong, and where."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        # The excerpt is empty if the text is not UTF-8.
        excerpt = error.doc[error.pos : error.pos + _SHOWN]
        at = f", at {excerpt!a}" if excerpt else ""
        raise ValueError(f"{error.msg} (line {error.lineno} column {error.colno}{at})") from None


def read_object(body: bytes | memoryview, what: str = "a request") -> dict[str, Any]:
    """Read a body that must be a JSON object, which errors call `what`; raises BadRequestError."""
    try:
        document = read(body)
    except ValueError as error:
        if not bytes(body).strip():
            raise BadRequestError(f"the body is empty, expected {what} in JSON") from None
        raise BadRequestError(f"the body is not JSON: {error}") from None
    if not isinstance(document, dict):
        raise BadRequestError(f"the body is not {what}: expected a JSON object")
    return document


def write(value: Any) -> bytes:
    """Write a value as JSON, also numpy's; raises TypeError for a type that JSON does not have."""
    return orjson.dumps(value, _plain, _OPTIONS)


def _plain(value: object) -> Any:
    """Convert values that orjson refuses: arrays of strings or not contiguous, named tuples."""
    if isinstance(value, tuple):
        return list(value)
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} has no JSON form")
