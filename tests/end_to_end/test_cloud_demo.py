"""The cloud demo, run as a reader would, in a copy of the repository; and interrupted."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from tests.support.places import ROOT
from tests.support.repository_copy import copy_repository, outer_environment
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="the emulated cloud runs on Linux only"),
]

DEADLINE_S: Final = 170
"""The demo's own promise is three minutes; this one bounds a demo that hangs."""
MINISTACK: Final = Path(".cache", "ministack")


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = copy_repository(tmp_path_factory.mktemp("cloud") / "coldpress")
    (folder / MINISTACK).parent.mkdir()
    (folder / MINISTACK).symlink_to(ROOT / MINISTACK)
    return folder


@pytest.fixture
def temporary(tmp_path: Path) -> Path:
    """A folder for temporary files, by whose name the processes of one demo are known."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    return folder


def processes(temporary: Path) -> list[str]:
    """The command lines of all living processes that were told of these temporary files."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if os.fsencode(temporary) in (process / "environ").read_bytes():
                found.append((process / "cmdline").read_bytes().replace(b"\0", b" ").decode())
    return found


@contextlib.contextmanager
def demo(copy: Path, temporary: Path) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        ["make", "--silent", "cloud-demo"],
        cwd=copy,
        env={**outer_environment(), "TMPDIR": str(temporary)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def test_the_cloud_demo_deploys_publishes_answers_and_swaps(copy: Path, temporary: Path) -> None:
    with demo(copy, temporary) as process:
        out, err = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 0, out + err
    assert "a call that nobody signed: refused with 403" in out
    assert "published magika version 1 (latest)" in out
    assert 'magika/1/inbox/a question.txt.out  {"label": "txt"' in out
    assert '"records": {"answered": 1, "failed": 0}' in out
    assert "; 0 failed;" in out
    assert re.search(r"'let x = 1;' +txt .* javascript ", out)
    assert re.search(r"magika +2 +latest +available", out)
    assert "Traceback" not in out + err
    assert processes(temporary) == []
    assert list(temporary.iterdir()) == []


def test_an_interrupted_cloud_demo_leaves_nothing(copy: Path, temporary: Path) -> None:
    with demo(copy, temporary) as process:
        assert process.stdout
        lines = iter(process.stdout.readline, "")
        assert any("2. Publish" in line for line in lines)
        assert any("ministack" in each for each in processes(temporary))
        os.killpg(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=DEADLINE_S)
    assert process.returncode != 0
    assert "Traceback" not in out + err
    wait_until(
        lambda: processes(temporary) == [], "what it had started goes on", deadline_s=DEADLINE_S
    )
    assert list(temporary.iterdir()) == []
