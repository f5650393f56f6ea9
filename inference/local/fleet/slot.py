"""One slot in a fleet: holds one environment at a time, and replaces it when it dies.

The environment is created when a call needs it. As on Lambda, the caller gets the answer before the
environment is frozen, and a call never reaches an environment that died while it was frozen.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Final, NamedTuple

from inference.local.fleet.errors import (
    EnvironmentEndedError,
    InvocationError,
    LambdaEnvironmentError,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from inference.local.fleet.environment import LambdaEnvironment

_REPLACED_AFTER: Final = ("Runtime.", "Sandbox.", "Extension.")
"""Prefixes of Lambda's error types for a failure of the environment, not of the handler."""

_LAMBDA_LINES: Final = ("START RequestId", "END RequestId", "REPORT RequestId")
"""Prefixes of the lines that Lambda prints at every call; they would hide the other lines."""


class NumberedEnvironment(NamedTuple):
    """An environment that is not started yet, and its number."""

    number: int
    environment: LambdaEnvironment


class Slot:
    """One thread calls `answer` and `settle` in turns; any thread may call `end`."""

    def __init__(
        self, make: Callable[[], NumberedEnvironment], report: Callable[[str], None]
    ) -> None:
        """`report` gets lines: the output of environments, and their unexpected ends."""
        self._make = make
        self._report = report
        self._current: NumberedEnvironment | None = None
        self._ended = False

    def answer(self, payload: bytes, early: Callable[[bytes, int], None]) -> tuple[bytes, int]:
        """Call the environment; return the answer and the environment's number.

        If extensions keep the environment busy after its answer, `early` gets both first. Raises
        LambdaEnvironmentError, also after `early`. The environment runs until `settle`.
        """
        number, environment = self._running()
        try:
            return environment.invoke_raw(payload, lambda answer: early(answer, number)), number
        except InvocationError as error:
            if error.error_type.startswith(_REPLACED_AFTER):
                raise self._replace_after(error, environment) from None
            raise
        except EnvironmentEndedError as error:
            self._replace(str(error))
            raise

    def settle(self) -> None:
        """Freeze the environment, if there is one, and report its output."""
        if self._current is None:
            return
        try:
            self._current.environment.freeze()
        except LambdaEnvironmentError as error:
            self._replace(str(error))
        else:
            self._report_lines(self._current.environment.take_logs())

    def end(self) -> None:
        """End the environment for good; the call in progress fails."""
        self._ended = True
        current = self._current
        if current:
            current.environment.stop()

    def _running(self) -> NumberedEnvironment:
        """Return an environment that can answer: the present one, or a new one."""
        if self._current and not self._current.environment.is_whole():
            self._replace("it died between two calls")
        if self._current is None:
            self._current = self._make()
            try:
                self._current.environment.start()
            except LambdaEnvironmentError as error:
                self._replace(str(error))
                raise
            except OSError as error:
                self._replace(str(error))
                raise EnvironmentEndedError(f"the environment did not start: {error}") from error
        if self._ended:  # `end` may have come before `start`
            self._current.environment.stop()
            raise EnvironmentEndedError("the fleet has ended")
        return self._current

    def _replace_after(
        self, error: InvocationError, environment: LambdaEnvironment
    ) -> InvocationError:
        message = error.message
        if environment.ran_out_of_memory():
            message += " (it ran out of memory)"
        self._replace(f"{error.error_type}: {message}")
        return InvocationError(error.error_type, message)

    def _replace(self, reason: str) -> None:
        """Stop and drop the environment; the next call creates another."""
        current, self._current = self._current, None
        if current is None:
            return
        with contextlib.suppress(LambdaEnvironmentError):
            current.environment.stop()
        self._report_lines(current.environment.take_logs())
        if not self._ended:
            first_line = reason.partition("\n")[0]
            self._report(f"environment {current.number} has ended: {first_line}")

    def _report_lines(self, printed: str) -> None:
        for line in printed.splitlines():
            if line and not line.startswith(_LAMBDA_LINES):
                self._report(line)
