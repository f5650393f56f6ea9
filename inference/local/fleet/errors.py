"""Errors of environments. HTTP statuses are decided in http_answers.py alone.

LambdaEnvironmentError
├── EmulatorUnavailableError   this machine has no emulator or runtime client, and cannot get one
├── EnvironmentEndedError      it did not start, has ended, or did not answer
├── InvocationError            it answered that the function failed
└── ThrottledError             every environment is busy, and no more calls may wait
"""

from __future__ import annotations


class LambdaEnvironmentError(RuntimeError):
    """Base class: a failure of an environment or of a call."""


class EmulatorUnavailableError(LambdaEnvironmentError):
    """The emulator or the runtime client is missing on this machine; the message is one line."""


class EnvironmentEndedError(LambdaEnvironmentError):
    """The environment did not start, has ended, or did not answer in time."""


class InvocationError(LambdaEnvironmentError):
    """The function failed: it raised, died, timed out, or its event or answer was too large."""

    def __init__(self, error_type: str, message: str, stack: tuple[str, ...] = ()) -> None:
        super().__init__("\n".join([f"{error_type}: {message}", *stack]))
        self.error_type = error_type
        self.message = message
        self.stack = stack


class ThrottledError(LambdaEnvironmentError):
    """Too many calls are waiting: this one is refused."""
