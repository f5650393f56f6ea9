"""Allowed names. Every name is checked here before it becomes part of a path.

A model and a label are `[a-z0-9][a-z0-9_-]{0,63}`. An id is a UTC time and 12 random hex digits
(`20261123T210935Z-0f3c9a51be77`): it is unique, sorts by age, and takes no lock to create. A file's
path inside a folder is relative, with `/`, and never leaves that folder.
"""

from __future__ import annotations

import os
import re
import time
from typing import Final

from model_store.errors import InvalidNameError

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_ID: Final = re.compile(r"[0-9]{8}T[0-9]{6}Z-[0-9a-f]{12}")
_RUNTIME_KEY: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,127}")
_MAX_COMPONENT_BYTES: Final = 255
_MAX_PATH_BYTES: Final = 3500
"""Linux allows 4,096; the rest is for the mount's and the version folder's paths."""


def check_model(name: str) -> str:
    """Return `name` if it is a valid model name; raise InvalidNameError if not."""
    return _check(_NAME, name, "model name", "lower-case letters, digits, - and _, at most 64")


def check_label(name: str) -> str:
    """Return `name` if it is a valid label; raise InvalidNameError if not."""
    return _check(_NAME, name, "label", "lower-case letters, digits, - and _, at most 64")


def check_id(text: str) -> str:
    """Return `text` if it is an id, as `new_id` creates them; raise InvalidNameError if not."""
    return _check(_ID, text, "id", "UTC time and 12 hex digits")


def check_runtime_key(text: str) -> str:
    """Return `text` if it is a valid runtime key; raise InvalidNameError if not."""
    return _check(_RUNTIME_KEY, text, "runtime key", "lower-case letters, digits, '.', - and _")


def check_relative_path(path: str) -> str:
    """Return `path` if it stays inside its folder; raise InvalidNameError if not.

    Refused are absolute and empty paths, `.` and `..` components, doubled or trailing slashes,
    backslashes, control characters, text that UTF-8 cannot encode, and lengths beyond file systems'
    limits.
    """
    reason = _path_fault(path)
    if reason:
        raise InvalidNameError(f"file path {path!r} is refused: {reason}")
    return path


def new_id() -> str:
    """Create a unique id: the time in UTC, to the second, and 48 random bits."""
    return f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-{os.urandom(6).hex()}"


def id_time(text: str) -> float:
    """Return an id's time of creation, in seconds since 1970; raises InvalidNameError."""
    import calendar  # noqa: PLC0415 - readers do not need it, and a cold start must import little

    try:
        created = time.strptime(check_id(text).partition("-")[0], "%Y%m%dT%H%M%SZ")
    except ValueError:
        raise InvalidNameError(f"id {text!r} is refused: it has an invalid time") from None
    return float(calendar.timegm(created))


def _check(pattern: re.Pattern[str], text: str, what: str, rule: str) -> str:
    if not pattern.fullmatch(text):
        shown = text if len(text) <= 80 else text[:77] + "..."
        raise InvalidNameError(f"{what} {shown!r} is refused: it must be {rule}")
    return text


def _path_fault(path: str) -> str | None:
    try:
        encoded = path.encode()
    except UnicodeEncodeError:
        return "UTF-8 cannot encode it"
    if len(encoded) > _MAX_PATH_BYTES:
        return f"it is longer than {_MAX_PATH_BYTES} bytes"
    if "\\" in path or any(ord(c) < 32 or 127 <= ord(c) < 160 for c in path):
        return "it holds a backslash or a control character"
    for component in path.split("/"):
        if component in {"", ".", ".."}:
            return "it is absolute, empty, or holds a '.', '..' or empty component"
        if len(component.encode()) > _MAX_COMPONENT_BYTES:
            return f"a component is longer than {_MAX_COMPONENT_BYTES} bytes"
    return None
