"""Digests that carry the name of their algorithm: `sha256:<64 hex digits>`."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Final, NamedTuple, Self

from model_store.errors import DamagedError

if TYPE_CHECKING:
    from io import BufferedReader

ALGORITHM: Final = "sha256"
_HEX: Final = re.compile(r"[0-9a-f]{64}")


class Digest(NamedTuple):
    """A digest of bytes. `parse(str(digest)) == digest`."""

    algorithm: str
    hex: str

    def __str__(self) -> str:
        return f"{self.algorithm}:{self.hex}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `sha256:<hex>`; raise DamagedError for anything else."""
        algorithm, _, digits = text.partition(":")
        if algorithm != ALGORITHM or not _HEX.fullmatch(digits):
            raise DamagedError(f"{text[:80]!r} is no digest: expected {ALGORITHM}:<64 hex digits>")
        return cls(algorithm, digits)

    @classmethod
    def of_bytes(cls, data: bytes) -> Self:
        """Return the digest of bytes in memory."""
        return cls(ALGORITHM, hashlib.sha256(data).hexdigest())

    @classmethod
    def of_stream(cls, stream: BufferedReader) -> Self:
        """Return the digest of an open binary file from its position to its end.

        Reads small blocks.
        """
        return cls(ALGORITHM, hashlib.file_digest(stream, ALGORITHM).hexdigest())
