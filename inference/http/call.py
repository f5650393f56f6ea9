"""The call in progress in one thread: its request, and the version that answers it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from inference.http.compression import choose_encoding, decompress
from inference.http.events import body_bytes
from inference.serving.mapped_files import LIMITS

if TYPE_CHECKING:
    from collections.abc import Mapping


class AnsweredBy(NamedTuple):
    """The version that a call runs or describes, and the label by which it was found, if any."""

    model: str
    version: int
    label: str | None


class Call:
    """The call in progress in one thread, reused for each call: `begin` resets all of it.

    `answered_by` (the version that the call is about) and `runs` (True if the call runs that
    version) are set by the routes and reported in headers and metrics.
    """

    def __init__(self) -> None:
        self.begin({}, None, "")

    def begin(self, event: Mapping[str, Any], context: Any, request_id: str) -> None:
        """Start the next call; `event` is an HTTP API event."""
        self.event = event
        self.request_id = request_id
        self.remaining_s = _remaining_s(context)
        self.answered_by: AnsweredBy | None = None
        self.runs = False

    def header(self, name: str) -> str | None:
        """Return the value of a request header; None if the request does not have the header."""
        # HTTP API events have lower-case header names; Powertools would copy all headers.
        headers = self.event.get("headers") or {}
        value: str | None = headers.get(name.lower())
        return value

    def coding(self) -> str | None:
        """Return the coding for a long answer; None to send the answer uncompressed."""
        accepted = self.header("accept-encoding")
        return choose_encoding(accepted) if accepted else None

    def body(self) -> bytes:
        """Return the request's body, decompressed.

        Raises BadRequestError, TooLargeError.
        """
        body = body_bytes(self.event)
        encoding = self.header("content-encoding")
        return decompress(body, encoding) if encoding else body


def _remaining_s(context: Any) -> float:
    """Return the time left for the call; the longest possible if the context has no deadline."""
    remaining_ms = getattr(context, "get_remaining_time_in_millis", None)
    return remaining_ms() / 1e3 if remaining_ms else LIMITS.longest_invocation_s
