import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from inference.local.fleet.environment import LambdaEnvironment
from inference.local.fleet.errors import EnvironmentEndedError, InvocationError
from tests.support.places import ROOT
from tests.support.waiting import wait_until

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="linux only: so are the emulator and how it is ended"
)

DEADLINE_S = 20.0

Make = Callable[..., LambdaEnvironment]


def living(pids: list[int]) -> list[int]:
    """Return those that are still there and not zombies, which only their parent can end."""
    found = []
    for pid in pids:
        with contextlib.suppress(OSError):
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX":
                found.append(pid)
    return found


def everything(environment: LambdaEnvironment) -> list[int]:
    keeper = environment._process._supervisor
    assert keeper is not None
    return [keeper.pid, *environment.pids()]


@pytest.mark.parametrize("frozen", [False, True])
def test_stopping_leaves_no_process_not_even_a_detached_orphan(make: Make, frozen: bool) -> None:
    function = make(frozen_between_calls=frozen).start()
    detached = function.invoke({"do": "detach"})
    with pytest.raises(InvocationError):
        function.invoke({"do": "leave"})
    function.invoke({})
    pids = everything(function)
    assert detached in pids

    function.stop()
    assert living(pids) == []
    assert function.pids() == ()
    function.stop()


def test_an_emulator_that_dies_fails_the_call_and_takes_the_rest_along(
    make: Make, tmp_path: Path
) -> None:
    begun = tmp_path / "begun"
    with make() as function:
        function.invoke({"do": "detach"})
        pids = everything(function)

        def kill() -> None:
            wait_until(begun.exists)
            os.kill(function.pids()[0], signal.SIGKILL)

        killer = threading.Thread(target=kill)
        killer.start()
        with pytest.raises(EnvironmentEndedError, match="exit code 137"):
            function.invoke({"do": "sleep", "seconds": 600, "begun": str(begun)})
        killer.join(DEADLINE_S)

        assert living(pids) == []
        with pytest.raises(EnvironmentEndedError, match="not running"):
            function.invoke({})


def test_even_when_its_keeper_is_killed_an_environment_stops_whole(make: Make) -> None:
    function = make().start()
    function.invoke({})
    pids = everything(function)
    os.kill(pids[0], signal.SIGKILL)

    function.stop()
    assert living(pids) == []


def test_a_call_that_is_never_answered_ends_the_environment(make: Make, tmp_path: Path) -> None:
    with make() as function:
        function.invoke({})
        pids = everything(function)
        assert function._connection is not None
        function._connection.sock.settimeout(0.2)
        with pytest.raises(EnvironmentEndedError, match="no answer in"):
            function.invoke({"do": "sleep", "seconds": 600, "begun": str(tmp_path / "begun")})

        assert living(pids) == []


def test_stopping_fails_the_call_under_way_in_another_thread(make: Make, tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    with make() as function:

        def stop() -> None:
            wait_until(begun.exists)
            function.stop()

        stopper = threading.Thread(target=stop)
        stopper.start()
        with pytest.raises(EnvironmentEndedError):
            function.invoke({"do": "sleep", "seconds": 600, "begun": str(begun)})
        stopper.join(DEADLINE_S)
        assert not stopper.is_alive()


def test_an_environment_outlives_the_thread_that_started_it(make: Make) -> None:
    function = make()
    thread = threading.Thread(target=function.start)
    thread.start()
    thread.join(DEADLINE_S)

    assert function.invoke({})["calls"] == 1


HOLDER = """
import sys, threading
from pathlib import Path
from inference.local.fleet.environment import LambdaEnvironment

function = LambdaEnvironment("app.handler", cwd=Path(sys.argv[1])).start()
function.invoke({"do": "detach"})
event = {"do": "sleep", "seconds": 600, "begun": sys.argv[2]}
threading.Thread(target=function.invoke, args=(event,), daemon=True).start()
print(function._process._supervisor.pid, *function.pids(), flush=True)
threading.Event().wait()
"""


def test_nothing_outlives_a_killed_holder(make: Make, tmp_path: Path) -> None:
    task = make()._cwd
    begun = tmp_path / "begun"
    command = [sys.executable, "-c", HOLDER, str(task), str(begun)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        try:
            pids = [int(pid) for pid in holder.stdout.readline().split()]
            wait_until(begun.exists)
            assert len(living(pids)) == 4
        finally:
            holder.kill()

    wait_until(lambda: living(pids) == [])
