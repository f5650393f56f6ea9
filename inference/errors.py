"""Errors of a call. Only http/inference_routes.py turns them into HTTP statuses.

ServingError
├── BadRequestError     the caller's input is wrong; the message names the wrong part
├── UnknownError        no such model, version, label or route
├── RetiredError        the version was retired
├── TooLargeError       the request or its answer exceeds Lambda's payload limit
├── NotReadyError       nothing published, the store unreachable, or the version failed to load
├── NoMemoryError       the version never fits into this environment's memory
├── LoadError           a version cannot be loaded: its contents are at fault, not the store
├── OutputError         the graph returned a value that the protocol cannot represent
├── GoldenCaseError     a version answers a golden case wrongly
└── PipelineError       a version's own code failed

A message is one line of at most 1,000 characters, however long the text that it quotes, and safe to
show to a caller: no traceback, no code.
"""

from __future__ import annotations

from typing import Final

from model_store.lines import on_one_line

_MOST: Final = 1000
_GAP: Final = " ... "
_END: Final = 250
"""Number of characters kept of a long message's end, which says what was expected."""


class ServingError(Exception):
    """A call cannot be answered."""

    def __init__(self, message: str) -> None:
        super().__init__(_shortened(on_one_line(message)))


class BadRequestError(ServingError):
    """The caller's input is wrong."""


class UnknownError(ServingError):
    """The requested model, version, label or route does not exist."""


class RetiredError(ServingError):
    """The requested version was retired."""


class TooLargeError(ServingError):
    """A payload exceeds a limit that cannot be raised."""


class NotReadyError(ServingError):
    """The request is valid, but cannot be answered now."""


class NoMemoryError(ServingError):
    """A version needs more memory than this environment has."""


class LoadError(ServingError):
    """A version cannot be loaded."""


class OutputError(ServingError):
    """An output of a version's graph cannot be represented as tensors."""


class GoldenCaseError(ServingError):
    """A version answers a golden case wrongly."""


class PipelineError(ServingError):
    """A version's pipeline raised an exception, or returned a wrong value.

    `cause` is the exception and its place, for the log and the publisher; callers do not see it.
    """

    def __init__(self, message: str, cause: str | None = None) -> None:
        super().__init__(message)
        self.cause = cause


def _shortened(text: str) -> str:
    if len(text) <= _MOST:
        return text
    return text[: _MOST - len(_GAP) - _END] + _GAP + text[-_END:]
