"""Report of a missing or failing MiniStack. Real ones: tests/model_sync/stage/test_stack.py."""

from __future__ import annotations

import contextlib
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from infra.emulated.ministack import ministack
from infra.errors import EmulatorError

if TYPE_CHECKING:
    from collections.abc import Callable

    Interpreter = Callable[[str], Path]

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="linux only: so is the keeper")


@pytest.fixture
def interpreter(tmp_path: Path) -> Interpreter:
    """Write an interpreter that runs this script, whatever its arguments."""

    def make(script: str) -> Path:
        path = tmp_path / "python"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        return path

    return make


def failure(folder: Path, interpreter: Path, start_s: float = 20) -> str:
    with (
        pytest.raises(EmulatorError) as raised,
        ministack(folder, interpreter=interpreter, start_s=start_s),
    ):
        pytest.fail("it runs")
    message = str(raised.value)
    assert "\n" not in message
    return message


def living(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    return False


def test_one_that_is_not_installed_is_told_how_to_install(tmp_path: Path) -> None:
    message = failure(tmp_path / "folder", tmp_path / "python")
    assert message.startswith(f"MiniStack is not installed, {tmp_path / 'python'} is missing: ")
    assert message.endswith("pip install --require-hashes -r requirements/ministack.txt")
    assert not (tmp_path / "folder").exists()


def test_one_that_ends_at_once_has_its_last_words_told(
    tmp_path: Path, interpreter: Interpreter
) -> None:
    python = interpreter("echo starting; echo 'No module named ministack' >&2; echo; exit 3")
    message = failure(tmp_path / "folder", python)
    assert message == "MiniStack ended with exit code 3: No module named ministack"


def test_one_that_says_nothing_is_told_too(tmp_path: Path, interpreter: Interpreter) -> None:
    message = failure(tmp_path / "folder", interpreter("exit 4"))
    assert message == "MiniStack ended with exit code 4: it said nothing"


def test_one_that_never_answers_is_given_up_and_ended_with_what_it_started(
    tmp_path: Path, interpreter: Interpreter
) -> None:
    started = tmp_path / "started"
    python = interpreter(f"sleep 600 & echo $! > {started}; echo waiting; trap '' TERM; wait; wait")
    message = failure(tmp_path / "folder", python, start_s=0.5)
    assert message == "MiniStack did not answer within 0.5 s: waiting"
    assert not living(int(started.read_text()))


def test_a_port_that_was_taken_meanwhile_is_not_the_end(
    tmp_path: Path, interpreter: Interpreter
) -> None:
    tried = tmp_path / "tried"
    python = interpreter(
        f"echo $GATEWAY_PORT >> {tried}; echo ERROR: $BIND_HOST:$GATEWAY_PORT is already in use; "
        "exit 1"
    )
    message = failure(tmp_path / "folder", python)
    assert re.search(r"exit code 1: ERROR: 127\.0\.0\.1:\d+ is already in use$", message)
    assert len(tried.read_text().split()) == 3


def test_nothing_of_this_process_reaches_it_but_the_path(
    tmp_path: Path, interpreter: Interpreter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "mine")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "mine")
    monkeypatch.setenv("DOCKER_HOST", "unix:///var/run/docker.sock")
    failure(tmp_path / "folder", interpreter(f"env > {tmp_path}/environ; exit 1"))
    lines = (tmp_path / "environ").read_text().splitlines()
    said = dict(line.split("=", 1) for line in lines)
    assert not [value for value in said.values() if value == "mine"]
    assert said["BIND_HOST"] == "127.0.0.1"
    for name in ("HOME", "TMPDIR", "STATE_DIR", "S3_DATA_DIR"):
        assert Path(said[name]).is_relative_to(tmp_path / "folder")
    assert not Path(said["DOCKER_HOST"].removeprefix("unix://")).exists()
