"""Paths of a model's version, and the version number in such a path. Pure."""

from __future__ import annotations

import re
from typing import Final

from inference.errors import UnknownError

VERSION_PATHS: Final = (
    "/v2/models/<model>",
    "/v2/models/<model>/versions/<version>",
    "/v2/models/<model>/labels/<label>",
)
"""A version by `latest` and the split, by its number, and by a label."""

_NUMBER: Final = re.compile(r"0|[1-9][0-9]{0,17}")


def version_number(version: str | None) -> int | None:
    """Return the number in a path, None for none; raises UnknownError for a malformed one."""
    if version is None:
        return None
    if not _NUMBER.fullmatch(version):
        raise UnknownError(f"{version[:40]!r} is no version: versions are numbers")
    return int(version)
