from __future__ import annotations

import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from typing import TYPE_CHECKING

import pytest

from infra.bundling.function_code import REPOSITORY
from infra.emulated.__main__ import main

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="linux only: so is the emulated cloud"
)

DEADLINE_S = 60


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """The command line takes two signals to itself, for good."""
    taken = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in taken.items():
        signal.signal(number, handler)


def test_a_stage_that_is_wrong_is_told_before_anything_starts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--stage", "nosuch", "--store", str(tmp_path / "store")]) == 1
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert "nosuch.toml is missing" in said
    assert said.count("\n") == 1
    assert not (tmp_path / "store").exists()


def test_an_emulator_that_is_missing_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--stage", "dev", "--store", str(tmp_path / "store")]
    assert main([*arguments, "--ministack", str(tmp_path / "python")]) == 1
    said = capsys.readouterr().err
    assert said.startswith("error: MiniStack is not installed, ")
    assert said.count("\n") == 1


def test_requirements_that_are_not_installed_are_one_line_that_says_how(tmp_path: Path) -> None:
    done = subprocess.run(
        # Without `site`, Python finds nothing that was installed.
        [sys.executable, "-S", "-m", "infra.emulated", "--stage", "dev", "--store", tmp_path / "s"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: boto3, aws_cdk, awslambdaric are not installed: ")
    assert " -m pip install --require-hashes -r requirements/cloud.txt " in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "s").exists()


@pytest.mark.slow
def test_a_stage_answers_until_it_is_told_to_end_and_leaves_nothing(tmp_path: Path) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    process = subprocess.Popen(
        [sys.executable, "-m", "infra.emulated", "--stage", "dev", "--store", tmp_path / "store"],
        cwd=REPOSITORY,
        env={**os.environ, "TMPDIR": str(temporary)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout
        lines = [process.stdout.readline() for _ in range(7)]
    finally:
        process.terminate()
        _, err = process.communicate(timeout=DEADLINE_S)
    assert (process.returncode, err) == (0, "")
    endpoint = lines[0].split()[-1]
    assert lines[0] == f"coldpress emulated {endpoint}\n"
    assert f"export AWS_ENDPOINT_URL={endpoint}\n" in lines
    assert lines[-1].startswith(f"export API_URL={endpoint}/_aws/execute-api/")
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(f"{endpoint}/_ministack/health", timeout=5)  # noqa: S310 - http
    assert list(temporary.iterdir()) == []
