"""One place in a fleet: an environment at a time, made when a call needs it, replaced when it dies.

Like Lambda, it gives the answer out first and stops the environment then; and it lets no call
find an environment that died while it stood still.
"""

from __future__ import annotations

import contextlib
import re
from typing import TYPE_CHECKING, Final, NamedTuple

from inference.local.fleet.errors import (
    EnvironmentEndedError,
    InvocationError,
    LambdaEnvironmentError,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from inference.local.fleet.environment import LambdaEnvironment

_AFTER_WHICH_IT_IS_REPLACED: Final = ("Runtime.", "Sandbox.", "Extension.")
"""Errors by which Lambda says that the environment failed, not the handler; by their prefix."""

_LAMBDAS_OWN: Final = re.compile(
    r"(START|END|REPORT) RequestId: |.* \[[A-Z]+\] \(rapid\) |\[WARNING\]\t.*\tLAMBDA_WARNING: "
)
"""Lines of Lambda's, about every call and every end; they would hide the others."""


class NumberedEnvironment(NamedTuple):
    """An environment, not started yet, and what it is called."""

    number: int
    environment: LambdaEnvironment


class Slot:
    """One thread calls `answer` and `settle`, in turns; `end` may come from another."""

    def __init__(
        self, make: Callable[[], NumberedEnvironment], report: Callable[[str], None]
    ) -> None:
        """`report` gets lines: what environments print, and when one ends before its time."""
        self._make = make
        self._report = report
        self._held: NumberedEnvironment | None = None
        self._ended = False

    def answer(self, payload: bytes, early: Callable[[bytes, int], None]) -> tuple[bytes, int]:
        """Call the environment; its answer, and its number. Raises LambdaEnvironmentError.

        `early` is given both if extensions keep it busy after its answer; it may raise all the
        same, later. Afterwards it runs on until `settle`.
        """
        number, environment = self._whole()
        try:
            return environment.invoke_raw(payload, lambda held: early(held, number)), number
        except InvocationError as error:
            if error.error_type.startswith(_AFTER_WHICH_IT_IS_REPLACED):
                raise self._after_its_end(error, environment) from None
            raise
        except EnvironmentEndedError as error:
            self._replace(str(error))
            raise

    def settle(self) -> None:
        """Freeze the environment, if there is one, and report what it printed."""
        if self._held is None:
            return
        try:
            self._held.environment.freeze()
        except LambdaEnvironmentError as error:
            self._replace(str(error))
        else:
            self._pass_on(self._held.environment.take_logs())

    def end(self) -> None:
        """End the environment; what is called at the time fails, and there will be no other."""
        self._ended = True
        held = self._held
        if held:
            held.environment.stop()

    def _whole(self) -> NumberedEnvironment:
        """The environment, which can answer: the one that is there, or another."""
        if self._held and not self._held.environment.is_whole():
            self._replace("it died between two calls")
        if self._held is None:
            self._held = self._make()
            try:
                self._held.environment.start()
            except LambdaEnvironmentError as error:
                self._replace(str(error))
                raise
            except OSError as error:
                self._replace(str(error))
                raise EnvironmentEndedError(f"the environment did not start: {error}") from error
        if self._ended:  # before it had begun to start, perhaps
            self._held.environment.stop()
            raise EnvironmentEndedError("the fleet has ended")
        return self._held

    def _after_its_end(
        self, error: InvocationError, environment: LambdaEnvironment
    ) -> InvocationError:
        message = error.message
        if environment.ran_out_of_memory():
            message += " (it ran out of memory)"
        self._replace(f"{error.error_type}: {message}")
        return InvocationError(error.error_type, message)

    def _replace(self, reason: str) -> None:
        """Let go of the environment; the next call makes another."""
        held, self._held = self._held, None
        if held is None:
            return
        with contextlib.suppress(LambdaEnvironmentError):
            held.environment.stop()
        self._pass_on(held.environment.take_logs())
        if not self._ended:
            first_line = reason.partition("\n")[0]
            self._report(f"environment {held.number} has ended: {first_line}")

    def _pass_on(self, printed: str) -> None:
        for line in printed.splitlines():
            if line and not line.startswith(
                ("START RequestId", "END RequestId", "REPORT RequestId")
            ):
                self._report(line)
