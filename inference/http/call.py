"""The call that one thread answers now: what came with it, and what became of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from inference.http.compression import choose_encoding, decompress
from inference.http.events import body_bytes
from inference.serving.mapped_files import LIMITS

if TYPE_CHECKING:
    from collections.abc import Mapping


class AnsweredBy(NamedTuple):
    """The version that answers a call, or that it is about, and the label that found it, if any."""

    model: str
    version: int
    label: str | None


class Call:
    """One HTTP API event. `begin` makes it another; nothing of the one before is left.

    `answered_by` and `runs` are for whoever reports the call: which version it is about, and
    whether it is one that runs a version.
    """

    def __init__(self) -> None:
        self.begin({}, None, "")

    def begin(self, event: Mapping[str, Any], context: Any, request_id: str) -> None:
        """Take the next call."""
        self.event = event
        self.request_id = request_id
        self.remaining_s = _remaining_s(context)
        self.answered_by: AnsweredBy | None = None
        self.runs = False

    def header(self, name: str) -> str | None:
        """A request header; None if it is not there."""
        # HTTP API events name headers in lower case; Powertools would copy them all to say so.
        headers = self.event.get("headers") or {}
        value: str | None = headers.get(name.lower())
        return value

    def coding(self) -> str | None:
        """How the caller takes a long answer compressed; None for not at all."""
        accepted = self.header("accept-encoding")
        return choose_encoding(accepted) if accepted else None

    def body(self) -> bytes:
        """The request's body, as it was before the caller compressed it.

        Raises BadRequestError, TooLargeError.
        """
        body = body_bytes(self.event)
        encoding = self.header("content-encoding")
        return decompress(body, encoding) if encoding else body


def _remaining_s(context: Any) -> float:
    """How long the call may go on; as long as any where the context does not say."""
    remaining_ms = getattr(context, "get_remaining_time_in_millis", None)
    return remaining_ms() / 1e3 if remaining_ms else LIMITS.longest_invocation_s
