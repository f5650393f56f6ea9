"""JSON both ways, by one library: docs/adr/0005-one-json-library.md says which and why. Pure.

What is read is JSON to the letter (RFC 8259): no NaN, no numbers beyond a float's range, UTF-8. An
integer of more than 64 bits is read as a float. What is written is compact; arrays are written
without a list of them, a float32 in the digits that it takes to read it back; a float that JSON has
no form for is null.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import orjson

from inference.errors import BadRequestError

_SHOWN: Final = 20
"""How much of a text is shown from where it stopped to be JSON."""

_OPTIONS: Final = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS


def read(text: bytes | memoryview | str) -> Any:
    """Read a JSON value; raises ValueError, whose text is one line: what is wrong, and where."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        # Made of bytes that are no UTF-8, it has no text to show.
        found = error.doc[error.pos : error.pos + _SHOWN]
        at = f", at {found!a}" if found else ""
        raise ValueError(f"{error.msg} (line {error.lineno} column {error.colno}{at})") from None


def read_object(body: bytes | memoryview, what: str = "a request") -> dict[str, Any]:
    """Read a body that must be a JSON object, `what`; raises BadRequestError."""
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
    """Write a value as JSON, numpy's too; raises TypeError for what has no form."""
    return orjson.dumps(value, _plain, _OPTIONS)


def _plain(value: object) -> Any:
    """What the library leaves to us: strings, arrays that do not lie in one piece, named tuples."""
    if isinstance(value, tuple):
        return list(value)
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} has no JSON form")
