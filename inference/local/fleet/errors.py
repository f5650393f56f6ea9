"""What can go wrong with environments. HTTP statuses are decided in http_answers.py alone.

LambdaEnvironmentError
├── EmulatorUnavailableError   this machine has no emulator or runtime client, and cannot get one
├── EnvironmentEndedError      it did not start, or is no longer there, or did not answer
├── InvocationError            it answered that the function failed
└── ThrottledError             every environment is busy, and as many calls wait as may
"""

from __future__ import annotations


class LambdaEnvironmentError(RuntimeError):
    """What is wrong with an environment or with a call."""


class EmulatorUnavailableError(LambdaEnvironmentError):
    """What environments are made of is not on this machine; the message is one line."""


class EnvironmentEndedError(LambdaEnvironmentError):
    """The environment did not start, is no longer there, or did not answer in time."""


class InvocationError(LambdaEnvironmentError):
    """The function failed: it raised, died, timed out, or its event or answer was too large."""

    def __init__(self, error_type: str, message: str, stack: tuple[str, ...] = ()) -> None:
        super().__init__("\n".join([f"{error_type}: {message}", *stack]))
        self.error_type = error_type
        self.message = message
        self.stack = stack


class ThrottledError(LambdaEnvironmentError):
    """There is no room for another call now."""
