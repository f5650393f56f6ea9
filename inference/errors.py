"""What can go wrong while answering a call. HTTP statuses are decided in http/inference_routes.py alone.

ServingError
├── BadRequestError     the caller's input does not fit; the message names what was wrong
├── UnknownError        no such model, version, label or route
├── RetiredError        the version was taken from service
├── TooLargeError       the request or its answer passes Lambda's payload limit
├── NotReadyError       nothing published, the store out of reach, or the version failed to load
├── NoMemoryError       the version never fits into this environment's memory
├── LoadError           a version cannot be loaded: what it holds is at fault, not the store
├── OutputError         a version's graph gave what the protocol has no form for
├── GoldenCaseError     a version does not answer a golden case as it should
└── PipelineError       a version's own code failed

Messages are one line of at most 1,000 characters, however long what they quote was, and safe to
show to a caller: no traceback, no code.
"""

from __future__ import annotations

from typing import Final

from model_store.lines import on_one_line

_MOST: Final = 1000
_GAP: Final = " ... "
_END: Final = 250
"""How much is kept of a long message's end: there it says what was expected."""


class ServingError(Exception):
    """A call cannot be answered."""

    def __init__(self, message: str) -> None:
        super().__init__(_shortened(on_one_line(message)))


class BadRequestError(ServingError):
    """The caller's input is at fault."""


class UnknownError(ServingError):
    """What was asked for does not exist."""


class RetiredError(ServingError):
    """What was asked for existed, and was retired."""


class TooLargeError(ServingError):
    """A payload passes a limit that cannot be raised."""


class NotReadyError(ServingError):
    """The call is right, and cannot be answered now."""


class NoMemoryError(ServingError):
    """A version needs more memory than this environment has."""


class LoadError(ServingError):
    """A version cannot be loaded."""


class OutputError(ServingError):
    """What a version's graph gave has no form as tensors."""


class GoldenCaseError(ServingError):
    """A version answers a golden case wrongly."""


class PipelineError(ServingError):
    """A version's pipeline raised, or returned what it should not.

    `cause` says what it raised and where, for the log and for whoever publishes: not for callers.
    """

    def __init__(self, message: str, cause: str | None = None) -> None:
        super().__init__(message)
        self.cause = cause


def _shortened(text: str) -> str:
    if len(text) <= _MOST:
        return text
    return text[: _MOST - len(_GAP) - _END] + _GAP + text[-_END:]
