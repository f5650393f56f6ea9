"""A stage that cannot be asked ends the command with exit code 3; Ctrl-C ends it at any time."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import threading
from typing import TYPE_CHECKING, Any, Final

import pytest

from model_sync.__main__ import main
from tests.model_sync.command_line import COMMAND, environment, run
from tests.model_sync.sync_job.lambda_client import response

if TYPE_CHECKING:
    from pathlib import Path

    from tests.model_sync.sync_job.cloud import Cloud

DEADLINE_S: Final = 60.0


@pytest.mark.usefixtures("retries_at_once")
def test_an_aws_that_nobody_serves_is_exit_code_3_and_one_line(
    dev: Cloud, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.socket() as taken:  # bound and not listening
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        for name, value in {**dev.environment(), "AWS_ENDPOINT_URL": url}.items():
            monkeypatch.setenv(name, value)
        assert main(["list", "--stage", "dev", "--quiet", "--json"]) == 3
    out, err = capsys.readouterr()
    assert (err, len(out.splitlines())) == ("", 1)
    error = json.loads(out)["error"]
    assert error["code"] == "unreachable"
    assert error["message"].startswith("stage 'dev' cannot be reached: Could not connect to the")


def test_credentials_that_are_missing_are_exit_code_3(dev: Cloud, tmp_path: Path) -> None:
    settings = {**dev.environment(), "AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}
    done = run("list", "--stage", "dev", cwd=tmp_path, **settings)
    assert (done.code, done.out) == (3, "")
    assert done.err == (
        "error: stage 'dev' cannot be reached: "
        "no AWS credentials are found: set AWS_PROFILE, or log in\n"
    )


GOES_ON = "interrupted; the sync function continues with the request: list shows its result"


@pytest.mark.parametrize("options", [[], ["--json"]], ids=["plain", "json"])
def test_an_interrupt_does_not_wait_for_the_call(
    dev: Cloud, s3_port: int, options: list[str]
) -> None:
    begun, over = threading.Event(), threading.Event()

    def answer(_: str, asked: dict[str, Any]) -> dict[str, Any]:
        begun.set()
        assert over.wait(2 * DEADLINE_S)
        return response({"state": "done", "models": []})

    dev.answer = answer
    command = subprocess.Popen(
        [*COMMAND, "list", "--stage", "dev", *options],
        env=environment(**dev.environment(s3_port)),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert begun.wait(DEADLINE_S)
        command.send_signal(signal.SIGINT)
        out, err = command.communicate(timeout=DEADLINE_S)
        assert not over.is_set()
    finally:
        over.set()
        command.kill()
        command.communicate()
    assert command.returncode == 130
    if options:
        told = {"error": {"code": "interrupted", "message": GOES_ON}}
        assert (json.loads(out), err) == (told, "")
    else:
        assert (out, err) == ("", f"error: {GOES_ON}\n")
