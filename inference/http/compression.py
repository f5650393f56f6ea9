"""Bodies that came compressed, and those that callers take compressed: gzip and deflate. Pure.

Source: RFC 9110, "Content Codings": `deflate` is zlib's format, and some send it without zlib's
header, so both are read; of gzip's members there may be several (RFC 1952), as parallel compressors
make them.
"""

from __future__ import annotations

import re
import zlib
from typing import Final

from inference.errors import BadRequestError, TooLargeError
from inference.http.limits import MOST_UNCOMPRESSED_BYTES

LEAST_BYTES: Final = 1024
"""What is smaller is sent as it is: it would not be worth the time."""

_WINDOW_BITS: Final = {"gzip": 31, "deflate": 15}
_NEVER: Final = re.compile(r"q=0(\.0{0,3})?")
_RAW_DEFLATE: Final = -15
_PIECE: Final = 1 << 14
"""What is read at once after a first member: what it leaves is copied, and there may be many."""
_FAST: Final = 1


def decompress(body: bytes, encoding: str, limit: int = MOST_UNCOMPRESSED_BYTES) -> bytes:
    """Undo a request's Content-Encoding.

    Raises BadRequestError for one that is not known, or for bytes that are not of it; TooLargeError
    where they come to more than `limit`.
    """
    name = encoding.strip().lower()
    if name in {"", "identity"}:
        return body
    bits = _WINDOW_BITS.get(name.removeprefix("x-"))
    if bits is None:
        raise BadRequestError(
            f"Content-Encoding is {encoding[:40]!r}: expected gzip, deflate or identity"
        )
    if name == "deflate" and not _has_zlib_header(body):
        bits = _RAW_DEFLATE
    try:
        parts, end = _inflate(memoryview(body), bits, limit)
    except zlib.error as error:
        raise BadRequestError(f"the body is not {name}: {error}") from None
    if sum(map(len, parts)) > limit:
        raise TooLargeError(f"the body comes to more than {limit} bytes when it is decompressed")
    if end != len(body):
        raise BadRequestError(f"the body is not {name}: it ends too early, or not at its end")
    return b"".join(parts)


def choose_encoding(accepted: str) -> str | None:
    """The coding that an Accept-Encoding header wants and is known here; None for none.

    gzip, where both are as welcome. Quality values are read as no (`q=0`) or yes.
    """
    welcome: dict[str, bool] = {}
    for part in accepted.lower().split(","):
        name, _, parameters = part.partition(";")
        welcome[name.strip()] = not _NEVER.fullmatch(parameters.strip())
    for name in ("gzip", "deflate"):
        if welcome.get(name, welcome.get("*", False)):
            return name
    return None


def compress(body: bytes, encoding: str) -> bytes:
    """Compress an answer, in the fastest way: time counts for more than bytes here."""
    worker = zlib.compressobj(_FAST, wbits=_WINDOW_BITS[encoding])
    return worker.compress(body) + worker.flush()


def _inflate(body: memoryview, bits: int, limit: int) -> tuple[list[bytes], int]:
    """Decompress member after member, up to a byte more than `limit`.

    Gives the pieces, and where the last member ended; -1 if it did not. Raises zlib.error.
    """
    parts: list[bytes] = []
    at, size = 0, len(body)
    while True:
        worker = zlib.decompressobj(bits)
        while not worker.eof:
            if at == len(body):
                return parts, -1
            parts.append(worker.decompress(body[at : at + size], limit + 1))
            limit -= len(parts[-1])
            if limit < 0:
                return parts, -1
            at = min(at + size, len(body)) - len(worker.unused_data)
        if at == len(body) or bits != _WINDOW_BITS["gzip"]:
            return parts, at
        size = _PIECE


def _has_zlib_header(body: bytes) -> bool:
    # RFC 1950: the method is 8, and the first two bytes are a multiple of 31.
    return len(body) > 1 and body[0] & 15 == 8 and (body[0] * 256 + body[1]) % 31 == 0
