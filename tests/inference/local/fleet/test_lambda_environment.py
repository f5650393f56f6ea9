import json
import os
import socket
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from inference.local.fleet import emulator_process
from inference.local.fleet.environment import LambdaEnvironment
from inference.local.fleet.errors import (
    EnvironmentEndedError,
    InvocationError,
    LambdaEnvironmentError,
)
from tests.support.waiting import wait_until

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="linux only: so are the emulator and how it is frozen"
)

DEADLINE_S = 20.0

STILL_ENDING = {
    "errorMessage": "RequestId: 61bc67ae-6e2d-4d48-954f-00e39b85bc65 Error: ErrGateCanceled",
    "errorType": "Sandbox.Failure",
}

Make = Callable[..., LambdaEnvironment]


def test_a_warm_call_finds_the_process_that_the_cold_call_started(make: Make) -> None:
    with make() as function:
        cold = function.invoke({})
        warm = function.invoke({})

        assert (cold["calls"], warm["calls"]) == (1, 2)
        assert cold["pid"] == warm["pid"]
        assert function.pids()[1:] == (warm["pid"],)
        assert function.invoke_raw(b'{"do": "text", "characters": 3}') == b'"xxx"'
        assert function.last_call_s > 0


def test_an_exception_in_the_handler_fails_that_call_alone(make: Make) -> None:
    with make() as function:
        with pytest.raises(InvocationError, match="ValueError: no such model") as failure:
            function.invoke({"do": "fail"})

        assert failure.value.error_type == "ValueError"
        assert failure.value.message == "no such model"
        assert "app.py" in failure.value.stack[-1]
        assert function.invoke({})["calls"] == 2


def test_a_handler_that_cannot_be_imported_says_so(make: Make) -> None:
    with make("nowhere.handler") as function:
        with pytest.raises(InvocationError, match="No module named 'nowhere'") as failure:
            function.invoke({})

        assert failure.value.error_type == "Runtime.ImportModuleError"


def test_a_module_that_exits_while_loading_fails_with_what_was_printed(make: Make) -> None:
    with make("sulky.handler") as function:
        function._cwd.joinpath("sulky.py").write_text("import os\nprint('bye')\nos._exit(4)")
        with pytest.raises(InvocationError, match="exit status 4"):
            function.invoke({})


def test_after_a_handler_that_exits_the_next_call_is_cold_again(make: Make) -> None:
    with make() as function:
        before = function.invoke({})
        with pytest.raises(InvocationError, match="exit status 3") as failure:
            function.invoke({"do": "leave"})

        after = function.invoke({})
        assert failure.value.error_type == "Runtime.ExitError"
        assert after["calls"] == 1
        assert after["pid"] != before["pid"]


def test_a_call_longer_than_the_functions_timeout_fails(make: Make, tmp_path: Path) -> None:
    with make(timeout_s=1) as function:
        with pytest.raises(InvocationError, match=r"timed out after 1\.00 seconds") as failure:
            function.invoke({"do": "sleep", "seconds": 600, "begun": str(tmp_path / "begun")})

        assert failure.value.error_type == "Sandbox.Timedout"
        assert function.invoke({})["calls"] == 1


@pytest.mark.parametrize("timed_out", [True, False])
def test_a_call_that_comes_while_the_emulator_ends_another_is_made_once_more(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, timed_out: bool
) -> None:
    """It answers so about once in a hundred times, on a busy machine: here, every time."""
    with make(timeout_s=1) as function:
        if timed_out:
            with pytest.raises(InvocationError, match="timed out"):
                function.invoke({"do": "sleep", "seconds": 600, "begun": str(tmp_path / "begun")})
        answers = [(200, json.dumps(STILL_ENDING).encode())]
        post = function._post
        monkeypatch.setattr(
            function, "_post", lambda *given: answers.pop() if answers else post(*given)
        )
        if timed_out:
            assert function.invoke({})["calls"] == 1
        else:
            with pytest.raises(InvocationError, match="ErrGateCanceled"):
                function.invoke({})


def test_lambdas_limits_on_payloads_hold(make: Make) -> None:
    with make() as function:
        with pytest.raises(InvocationError) as request:
            function.invoke({"padding": "x" * 6 * 1024 * 1024})
        with pytest.raises(InvocationError) as response:
            function.invoke({"do": "text", "characters": 6 * 1024 * 1024 + 1024})

        assert request.value.error_type == "RequestEntityTooLargeException"
        assert response.value.error_type == "Function.ResponseSizeTooLarge"


def test_a_frozen_environment_makes_no_progress_between_calls(make: Make, tmp_path: Path) -> None:
    frozen = [tmp_path / "frozen-thread", tmp_path / "frozen-process"]
    free = [tmp_path / "free-thread", tmp_path / "free-process"]

    def ticks(files: list[Path]) -> list[int]:
        return [int.from_bytes(file.read_bytes(), "little") for file in files]

    with make(frozen_between_calls=True) as cold, make() as warm:
        cold.invoke({"do": "tick", "files": [str(file) for file in frozen]})
        before = ticks(frozen)
        warm.invoke({"do": "tick", "files": [str(file) for file in free]})
        wait_until(lambda: min(ticks(free)) > 100)
        assert ticks(frozen) == before

        def both_went_on() -> bool:
            cold.invoke({})
            return all(now > then for now, then in zip(ticks(frozen), before, strict=True))

        wait_until(both_went_on)

        warm.freeze()
        before = ticks(free)
        for _ in range(20):
            cold.invoke({})
        assert ticks(free) == before
        warm.thaw()
        wait_until(lambda: min(ticks(free)) > max(before))


def test_a_call_that_fails_leaves_the_environment_frozen_too(make: Make) -> None:
    with make(frozen_between_calls=True) as function:
        with pytest.raises(InvocationError):
            function.invoke({"do": "fail"})

        assert function._freezer.frozen == list(function.pids())
        assert function.invoke({})["calls"] == 2


def test_the_function_sees_what_lambda_sets_and_what_it_is_given(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "the developer's own")
    monkeypatch.setenv("PYTHONPATH", "/the/developer's/own")
    with make(environ={"STORE": "/mnt/store", "TZ": "CET"}, memory_mb=512) as function:
        seen = function.invoke({"do": "environment"})

    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    assert {"AWS_PROFILE", "PYTHONPATH"}.isdisjoint(seen)
    expected = {
        "_HANDLER": "app.handler",
        "AWS_EXECUTION_ENV": f"AWS_Lambda_python{version}",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_ACCESS_KEY_ID": "",
        "AWS_REGION": "us-east-1",
        "LAMBDA_TASK_ROOT": str(function._cwd),
        "PATH": os.environ["PATH"],
        "STORE": "/mnt/store",
        "TZ": "CET",
    }
    assert {name: seen.get(name) for name in expected} == expected


def test_what_the_function_prints_is_logged_and_outlives_it(make: Make) -> None:
    with make() as function:
        function.invoke({})
        wait_until(lambda: "the module is loading" in function.logs())

    assert "the module is loading" in function.logs()


def test_two_environments_at_once_are_two_processes(make: Make) -> None:
    with make() as one, make() as other:
        assert one.invoke({})["calls"] == other.invoke({})["calls"] == 1
        assert set(one.pids()).isdisjoint(other.pids())


def test_calls_from_several_threads_are_made_one_at_a_time(make: Make) -> None:
    answers: list[int] = []
    with make() as function:
        threads = [
            threading.Thread(target=lambda: answers.append(function.invoke({})["calls"]))
            for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(DEADLINE_S)

    assert sorted(answers) == list(range(1, 9))


def test_a_port_that_was_taken_meanwhile_is_replaced(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        free = emulator_process.free_ports()
        again = emulator_process.free_ports()
        answers = iter(
            [(taken.getsockname()[1], free[1]), (free[0], taken.getsockname()[1]), again]
        )
        monkeypatch.setattr(emulator_process, "free_ports", lambda: next(answers))

        with make() as function:
            assert function.invoke({})["calls"] == 1
        assert list(answers) == []


def test_an_emulator_that_does_not_start_says_why(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "broken"
    script.write_text("#!/bin/sh\necho out of order\nexit 9\n")
    script.chmod(0o755)
    monkeypatch.setattr("inference.local.fleet.emulator_binary.emulator_path", lambda: script)

    function = make()
    with pytest.raises(EnvironmentEndedError, match="did not start: out of order"):
        function.start()
    assert function.pids() == ()


def test_an_environment_starts_once(make: Make) -> None:
    function = make()
    with pytest.raises(EnvironmentEndedError, match="not running"):
        function.invoke({})
    function.stop()
    with function, pytest.raises(LambdaEnvironmentError, match="starts once"):
        function.start()
    with pytest.raises(LambdaEnvironmentError, match="starts once"):
        function.start()
