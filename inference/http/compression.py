"""Decompression of requests and compression of answers: gzip and deflate. Pure.

Source: RFC 9110, "Content Codings". `deflate` is zlib's format; some clients omit zlib's header, so
both are read. A gzip body may have several members (RFC 1952), as parallel compressors write it.
"""

from __future__ import annotations

import re
import zlib
from typing import Final

from inference.errors import BadRequestError, TooLargeError
from inference.http.limits import MOST_UNCOMPRESSED_BYTES

LEAST_BYTES: Final = 1024
"""Smaller answers are not compressed: it would not save time."""

_WINDOW_BITS: Final = {"gzip": 31, "deflate": 15}
_NEVER: Final = re.compile(r"q=0(\.0{0,3})?")
_RAW_DEFLATE: Final = -15
_PIECE: Final = 1 << 14
"""Bytes to read at once after the first member: zlib copies the unread rest, for each member."""
_FAST: Final = 1


def decompress(body: bytes, encoding: str, limit: int = MOST_UNCOMPRESSED_BYTES) -> bytes:
    """Undo a request's Content-Encoding.

    Raises BadRequestError for an unknown coding and for bytes that are not in the coding's format,
    TooLargeError if the decompressed body is larger than `limit` bytes.
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
        raise TooLargeError(f"the body has more than {limit} bytes when decompressed")
    if end != len(body):
        raise BadRequestError(f"the body is not {name}: it ends too early, or bytes follow its end")
    return b"".join(parts)


def choose_encoding(accepted: str) -> str | None:
    """Return the coding to use for an Accept-Encoding header; None to send the body as it is.

    gzip is preferred. Of quality values, only zero (not acceptable) matters.
    """
    acceptable: dict[str, bool] = {}
    for part in accepted.lower().split(","):
        name, _, parameters = part.partition(";")
        acceptable[name.strip()] = not _NEVER.fullmatch(parameters.strip())
    for name in ("gzip", "deflate"):
        if acceptable.get(name, acceptable.get("*", False)):
            return name
    return None


def compress(body: bytes, encoding: str) -> bytes:
    """Compress an answer at the fastest level: for a short call, time costs more than bytes."""
    worker = zlib.compressobj(_FAST, wbits=_WINDOW_BITS[encoding])
    return worker.compress(body) + worker.flush()


def _inflate(body: memoryview, bits: int, limit: int) -> tuple[list[bytes], int]:
    """Decompress all members, but at most `limit` + 1 bytes.

    Returns the pieces, and the offset where the last member ended, -1 if it has no end. Raises
    zlib.error.
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
    # RFC 1950: the method is 8, and the first two bytes, as a number, are a multiple of 31.
    return len(body) > 1 and body[0] & 15 == 8 and (body[0] * 256 + body[1]) % 31 == 0
