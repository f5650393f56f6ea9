"""Lambda's limit on what goes in and what comes out, and what to do where it is passed. Pure.

Source: "Lambda quotas", invocation payload, synchronous. API Gateway's own limit, 10 MB, is never
reached.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from inference.errors import TooLargeError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    import numpy as np
    from numpy.typing import NDArray

PAYLOAD_LIMIT_BYTES: Final = 6_291_456
"""Lambda's limit on a synchronous call's event, and on its answer: the whole JSON, base64 too."""

MOST_UNCOMPRESSED_BYTES: Final = 32 << 20
"""What a compressed body may come to, in or out: five times what fits uncompressed.

JSON of so many bytes takes up to half a gigabyte as numbers of Python, and a few kilobytes of gzip
could ask for it.
"""

_REQUEST_HINT: Final = (
    "send less at once, as binary data or compressed (Content-Encoding: gzip), or use batch"
)
_ANSWER_HINT: Final = (
    "ask for less at once, as binary data or compressed (Accept-Encoding: gzip), or use batch"
)
_LEAST_ELEMENT: Final = 2
"""The fewest bytes that an element takes in JSON: a digit and a comma."""


def request_too_large(what: str) -> str:
    """The message for a request over the limit; `what` says how large it is."""
    return f"{what}, and Lambda takes at most {PAYLOAD_LIMIT_BYTES}: {_REQUEST_HINT}"


def answer_too_large(what: str) -> str:
    """The message for an answer over the limit; `what` says how large it is."""
    return f"{what}, and Lambda takes at most {PAYLOAD_LIMIT_BYTES}: {_ANSWER_HINT}"


def check_outputs(
    outputs: Mapping[str, NDArray[np.generic]], binary: Collection[str], *, compressed: bool
) -> None:
    """Raise TooLargeError for outputs that cannot fit into an answer, before one is made of them.

    It counts the least that they can take, so what it lets pass may still be too large.
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
    """Raise TooLargeError for an answer's body that cannot fit; `least`: it has so much or more."""
    taken = (size_bytes + 2) // 3 * 4 if as_base64 else size_bytes
    if taken > PAYLOAD_LIMIT_BYTES:
        at_least = "at least " if least or not as_base64 else ""
        raise TooLargeError(answer_too_large(f"the answer is {at_least}{taken} bytes"))
