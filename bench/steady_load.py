"""A steady load of calls on a server, and what came of each.

Each of a few clients sends an adder's request every `period_s`, or as soon as its last call is
answered where that is later: all at the same time, so that as many environments are needed.
Version n of the adder adds n times STEP, so an answer's values tell which version gave them,
whatever it says.
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
"""What each version adds more than the one before; inputs are smaller, and whole."""

_DEADLINE_S: Final = 60.0


class Call(NamedTuple):
    """One call: when it was sent, how long it took, who answered, and by which version.

    `version` is what the values say, `named` what the answer says (None if it says nothing);
    `problem` is why the call failed, None if it did not.
    """

    sent_at: float
    duration_s: float
    environment: int
    version: int
    named: int | None
    problem: str | None

    @property
    def answered_at(self) -> float:
        """When its answer had come whole."""
        return self.sent_at + self.duration_s

    @property
    def right(self) -> bool:
        """Whether it was answered, by the version that it names."""
        return self.problem is None and self.named in {None, self.version}


class SteadyLoad:
    """Clients that call from entering to leaving. `calls` may be read meanwhile."""

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
        """The version that each environment answered by last."""
        return {call.environment: call.version for call in self.calls if call.problem is None}

    def wait_until(self, condition: Callable[[], object], what: str) -> None:
        """Wait until a condition holds; raises TimeoutError."""
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
        """When all clients call next: on one clock, or they would drift apart and need fewer."""
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
