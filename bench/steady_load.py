"""A steady load of calls on a server, with the outcome of each call.

Each client sends an adder's request every `period_s`, or once its last call is answered if that is
later. All clients call at the same time, so that each client needs an environment. Version n of the
adder adds n times STEP, so an answer's values identify the version, independent of its headers.
"""

from __future__ import annotations

import http.client
import json
import threading
import time
from typing import TYPE_CHECKING, Final, NamedTuple, Self
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

STEP: Final = 1000.0
"""Difference between consecutive versions. Inputs are smaller integers."""

_DEADLINE_S: Final = 60.0


class Call(NamedTuple):
    """One call: the time it was sent, its duration, its environment and its version.

    `version` follows from the values, `named` from the answer's header (None without one);
    `problem` is the reason of a failure, None if the call succeeded.
    """

    sent_at: float
    duration_s: float
    environment: int
    version: int
    named: int | None
    problem: str | None

    @property
    def answered_at(self) -> float:
        """Time when the whole answer had arrived."""
        return self.sent_at + self.duration_s

    @property
    def right(self) -> bool:
        """True if the call was answered by the version that the answer names."""
        return self.problem is None and self.named in {None, self.version}


class SteadyLoad:
    """Clients that call while the context is open. `calls` may be read during that time."""

    def __init__(self, url: str, path: str, *, clients: int, period_s: float = 0.0) -> None:
        self._address = urlsplit(url).netloc
        self._path = path
        self._period_s = period_s
        self._enough = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, args=(number,), daemon=True)
            for number in range(clients)
        ]
        self.calls: list[Call] = []

    def newest_by_environment(self) -> dict[int, int]:
        """Return the version of each environment's last answer."""
        return {call.environment: call.version for call in self.calls if call.problem is None}

    def wait_until(self, condition: Callable[[], object], what: str) -> None:
        """Wait until a condition holds; raise TimeoutError if it does not."""
        deadline = time.monotonic() + _DEADLINE_S
        while not condition():
            if time.monotonic() > deadline:
                raise TimeoutError(f"{what} took over {_DEADLINE_S:g} s")
            time.sleep(0.01)

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._enough.set()
        for thread in self._threads:
            thread.join(_DEADLINE_S)

    def _run(self, number: int) -> None:
        connection = http.client.HTTPConnection(self._address, timeout=_DEADLINE_S)
        due = time.monotonic()
        x = number
        while not self._enough.wait(max(0.0, due - time.monotonic())):
            due = self._next_tick()
            x = (x + len(self._threads)) % int(STEP / 2)
            self.calls.append(_call(connection, self._path, float(x)))
        connection.close()

    def _next_tick(self) -> float:
        """Return the time when all clients call next. One clock keeps them from drifting apart."""
        now = time.monotonic()
        return (now // self._period_s + 1) * self._period_s if self._period_s else now


def _call(connection: http.client.HTTPConnection, path: str, x: float) -> Call:
    tensor = {"name": "x", "shape": [1, 2], "datatype": "FP32", "data": [x, -x]}
    body = json.dumps({"inputs": [tensor]})
    sent_at, environment = time.monotonic(), 0
    try:
        connection.request("POST", path, body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        answered = response.read()
        took = time.monotonic() - sent_at
        environment = int(response.headers.get("Coldpress-Environment", 0))
        if response.status != 200:
            problem = f"{response.status} {answered.decode(errors='replace')}"
            return Call(sent_at, took, environment, 0, None, problem)
        first, second = json.loads(answered)["outputs"][0]["data"]
        header = response.headers.get("Coldpress-Version")
    except (OSError, http.client.HTTPException, ValueError, LookupError) as error:
        connection.close()
        took = time.monotonic() - sent_at
        return Call(sent_at, took, environment, 0, None, f"{type(error).__name__}: {error}")
    version = round((first + second) / 2 / STEP)
    wrong = [first, second] != [x + version * STEP, -x + version * STEP]
    named = int(header) if header else None
    if wrong:
        return Call(sent_at, took, environment, version, named, f"{x} became {first}, {second}")
    return Call(sent_at, took, environment, version, named, None)
