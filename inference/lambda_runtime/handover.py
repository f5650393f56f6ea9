"""State that a process hands to the process that replaces it in the same environment.

The state travels in one environment variable, `REPLACES`. `recycling` writes it; the new process's
extension and entry point read it. Also the type of a Lambda handler, which both modules wrap.
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self

from inference.process.clock import Moment

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Handler = Callable[[Mapping[str, Any], Any], Any]

REPLACES: Final = "COLDPRESS_RECYCLED"
"""Environment variable that is set in a process that replaces another one."""

MARGIN_S: Final = 2.0
"""Seconds before the invocation's deadline at which the new process must ask for the next event,
whatever it has loaded by then."""


class Carried(NamedTuple):
    """State handed over by the process that was replaced.

    `extension`: the identifier of the registered extension, which the new process continues; None
    if there is none. `at`: the time of the replacement. `deadline_s`: the deadline of the
    invocation in progress, in seconds of the wall clock.
    """

    extension: str | None
    at: Moment
    deadline_s: float

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> Self | None:
        """Return the state in `environ`; None if this process replaces no other."""
        if REPLACES not in environ:
            return None
        extension, wall_s, monotonic_s, deadline_s = json.loads(environ[REPLACES])
        return cls(extension, Moment(wall_s, monotonic_s), deadline_s)

    def render(self) -> str:
        """Return the value of the variable."""
        return json.dumps([self.extension, *self.at, self.deadline_s])

    def left_s(self) -> float:
        """Return the seconds that this process may load before it asks for the next event."""
        return max(0.0, self.deadline_s - time.time() - MARGIN_S)
