"""Faults to inject, by operation, path, and number of the call. Pure."""

from __future__ import annotations

import errno
import fnmatch
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

HANG: Final = "hang"
"""The call does not return until `heal`, as on a mount with the option `hard`."""

DIE: Final = "die"
"""The file system's process ends: this call and all others fail with ENOTCONN or ECONNABORTED."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault to inject into matching calls.

    `operation` and `path` are patterns (fnmatch; `*` matches `/` too). A path is relative to the
    mount; of a rename or a link, either of its two paths may match. Of the matching calls, `times`
    calls fail from the `nth` on (None: all of them). `after`: the call is performed, and its answer
    is lost.
    """

    operation: str
    does: str
    path: str = "*"
    nth: int = 1
    times: int | None = 1
    after: bool = False

    def __post_init__(self) -> None:
        if self.does not in {HANG, DIE} and not hasattr(errno, self.does):
            raise ValueError(f"{self.does!r} is no errno, and neither {HANG!r} nor {DIE!r}")
        if self.nth < 1 or (self.times is not None and self.times < 1):
            raise ValueError("calls are counted from 1")

    @property
    def errno(self) -> int:
        """Error number that the call returns."""
        number: int = getattr(errno, self.does)
        return number

    def is_meant_for(self, operation: str, paths: Callable[[], Sequence[str]]) -> bool:
        """Return True if a call matches this fault; call `paths` only if the pattern needs it."""
        if not fnmatch.fnmatchcase(operation, self.operation):
            return False
        return self.path == "*" or any(fnmatch.fnmatchcase(path, self.path) for path in paths())


class Faults:
    """Active faults, each with its number of matching calls and of failed calls."""

    def __init__(self) -> None:
        self._made = 0
        self._faults: dict[int, Fault] = {}
        self._met: dict[int, int] = {}
        self._hit: dict[int, int] = {}

    def add(self, fault: Fault) -> int:
        """Activate a fault, and return its number."""
        self._made += 1
        self._faults[self._made] = fault
        self._met[self._made] = self._hit[self._made] = 0
        return self._made

    def clear(self) -> None:
        """Deactivate all faults. `hits` still answers for them."""
        self._faults.clear()

    def hits(self, number: int) -> int:
        """Return the number of calls that a fault hit; the fault may be inactive by now."""
        return self._hit[number]

    def meet(self, operation: str, paths: Callable[[], Sequence[str]]) -> Fault | None:
        """Count a call at every matching fault; return the first fault that hits the call."""
        first: Fault | None = None
        for number, fault in self._faults.items():
            if not fault.is_meant_for(operation, paths):
                continue
            self._met[number] += 1
            since = self._met[number] - fault.nth
            if first is None and since >= 0 and (fault.times is None or since < fault.times):
                self._hit[number] += 1
                first = fault
        return first


def from_json(fields: dict[str, Any]) -> Fault:
    """Return the fault that `dataclasses.asdict` turned into these fields."""
    return Fault(**fields)
