"""Lambda's limit on requests and answers, and the errors for those that exceed the limit. Pure.

Source: "Lambda quotas", synchronous invocation payload. API Gateway's limit, 10 MB, is higher.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from inference.errors import TooLargeError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    import numpy as np
    from numpy.typing import NDArray

PAYLOAD_LIMIT_BYTES: Final = 6_291_456
"""Lambda's limit on the JSON of an event, and on that of an answer, including its base64."""

MOST_UNCOMPRESSED_BYTES: Final = 32 << 20
"""Limit on a compressed body's uncompressed size, of requests and answers.

JSON of that size needs up to half a gigabyte as Python numbers, and a few kilobytes of gzip can
expand to it.
"""

_REQUEST_HINT: Final = (
    "send less at once, as binary data or compressed (Content-Encoding: gzip), or use batch"
)
_ANSWER_HINT: Final = (
    "ask for less at once, as binary data or compressed (Accept-Encoding: gzip), or use batch"
)
_LEAST_ELEMENT: Final = 2
"""The fewest bytes of an element in JSON: a digit and a comma."""


def request_too_large(what: str) -> str:
    """Return the error message for a request over the limit; `what` states its size."""
    return f"{what}, and Lambda takes at most {PAYLOAD_LIMIT_BYTES}: {_REQUEST_HINT}"


def answer_too_large(what: str) -> str:
    """Return the error message for an answer over the limit; `what` states its size."""
    return f"{what}, and Lambda takes at most {PAYLOAD_LIMIT_BYTES}: {_ANSWER_HINT}"


def check_outputs(
    outputs: Mapping[str, NDArray[np.generic]], binary: Collection[str], *, compressed: bool
) -> None:
    """Raise TooLargeError for outputs that cannot fit into an answer, before the answer is built.

    Computes a lower bound of the answer's size: an answer that passes may still be too large.
    """
    as_bytes = sum(outputs[name].nbytes for name in binary if outputs[name].dtype.kind not in "OUS")
    elements = sum(tensor.size for name, tensor in outputs.items() if name not in binary)
    least = as_bytes + elements * _LEAST_ELEMENT
    if not compressed:
        check_body(least, as_base64=bool(binary), least=True)
    elif least > MOST_UNCOMPRESSED_BYTES:
        raise TooLargeError(
            f"the answer is at least {least} bytes before it is compressed, and may be "
            f"{MOST_UNCOMPRESSED_BYTES}: ask for less at once, or use batch"
        )


def check_body(size_bytes: int, *, as_base64: bool, least: bool = False) -> None:
    """Raise TooLargeError for an answer's body over the limit; `least`: a lower bound is given."""
    payload_bytes = (size_bytes + 2) // 3 * 4 if as_base64 else size_bytes
    if payload_bytes > PAYLOAD_LIMIT_BYTES:
        at_least = "at least " if least or not as_base64 else ""
        raise TooLargeError(answer_too_large(f"the answer is {at_least}{payload_bytes} bytes"))
