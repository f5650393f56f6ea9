"""What is to go wrong, and when: by operation, by path, and by which call. Pure."""

from __future__ import annotations

import errno
import fnmatch
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

HANG: Final = "hang"
"""The call does not return until it is released, as on a mount with the option `hard`."""

DIE: Final = "die"
"""The file system's process ends: this call and all others fail with ENOTCONN or ECONNABORTED."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong, at the calls that it is meant for.

    `operation` and `path` are patterns (fnmatch; `*` matches `/` too). A path is relative to the
    mount, of what the operation is about; a rename's or a link's may be either of its two. Of the
    calls that match, those from the `nth` on fail, `times` of them (None: all that come).
    `after`: the call is done, and its answer is lost.
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
        """The error that the call answers."""
        number: int = getattr(errno, self.does)
        return number

    def is_meant_for(self, operation: str, paths: Callable[[], Sequence[str]]) -> bool:
        """Whether a call is one of those counted; paths are asked for only if need be."""
        if not fnmatch.fnmatchcase(operation, self.operation):
            return False
        return self.path == "*" or any(fnmatch.fnmatchcase(path, self.path) for path in paths())


class Faults:
    """The faults in force, each with how many calls it met and how many of them it hit."""

    def __init__(self) -> None:
        self._made = 0
        self._faults: dict[int, Fault] = {}
        self._met: dict[int, int] = {}
        self._hit: dict[int, int] = {}

    def add(self, fault: Fault) -> int:
        """Put a fault in force, and return its number."""
        self._made += 1
        self._faults[self._made] = fault
        self._met[self._made] = self._hit[self._made] = 0
        return self._made

    def clear(self) -> None:
        """Take all out of force. How many calls they hit goes on being known."""
        self._faults.clear()

    def hits(self, number: int) -> int:
        """How many calls a fault hit, in force or not any more."""
        return self._hit[number]

    def meet(self, operation: str, paths: Callable[[], Sequence[str]]) -> Fault | None:
        """Count a call at every fault that is meant for it; return the first that hits it."""
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
    """Read what `dataclasses.asdict` gave."""
    return Fault(**fields)
