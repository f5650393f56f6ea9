"""A hang and its release, the mount gone and back, and an end however its owner ends."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bench.efs_stand_in import DIE, FAST, EfsStandIn, StandInError
from inference.process.daemon_thread import in_thread
from tests.support.places import ROOT
from tests.support.waiting import DEADLINE_S, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.slow


OWNER = """\
import sys
from functools import partial
from pathlib import Path
from bench.efs_stand_in import FAST, EfsStandIn

with EfsStandIn(Path(sys.argv[1]), Path(sys.argv[2]), FAST) as efs:
    if sys.argv[3] == "hang":
        efs.hang("*")
    print("mounted", flush=True)
    sys.stdin.read()
"""


def is_mounted(folder: Path) -> bool:
    return f" {folder / 'mount'} " in Path("/proc/self/mountinfo").read_text()


def test_calls_hang_until_they_are_released_and_then_succeed(efs: EfsStandIn) -> None:
    (efs.source / "file").write_bytes(b"content")
    fault = efs.hang("open", "file")
    reads = [in_thread((efs.mountpoint / "file").read_bytes, f"reads-{n}") for n in range(4)]
    wait_until(lambda: fault.hits == 4)
    (efs.mountpoint / "other").write_bytes(b"others go on")
    assert not any(each.done() for each in reads)
    efs.heal()
    assert [each.result(DEADLINE_S) for each in reads] == [b"content"] * 4


def test_a_hanging_mount_can_be_taken_away(efs: EfsStandIn, folder: Path) -> None:
    (efs.source / "file").write_bytes(b"content")
    fault = efs.hang()
    read = in_thread((efs.mountpoint / "file").read_bytes, "reads")
    wait_until(lambda: fault.hits)
    efs.stop()
    with pytest.raises(OSError, match=r"not connected|abort"):
        read.result(DEADLINE_S)
    assert not is_mounted(folder)
    assert list((folder / "mount").iterdir()) == []


def test_a_mount_that_is_gone_fails_every_call_until_it_is_back(efs: EfsStandIn) -> None:
    (efs.mountpoint / "file").write_bytes(b"content")
    efs.kill()
    for call in (
        (efs.mountpoint / "file").read_bytes,
        partial(os.listdir, efs.mountpoint),
        (efs.mountpoint / "new").mkdir,
    ):
        with pytest.raises(OSError, match="not connected") as caught:
            call()
        assert caught.value.errno == errno.ENOTCONN
    with pytest.raises(StandInError, match="does not answer"):
        efs.counts()
    efs.restart()
    assert (efs.mountpoint / "file").read_bytes() == b"content"


def test_it_can_go_in_the_middle_of_a_call(efs: EfsStandIn) -> None:
    efs.fail("rename", DIE, nth=2)
    (efs.mountpoint / "one").mkdir()
    (efs.mountpoint / "one").rename(efs.mountpoint / "two")
    with pytest.raises(OSError, match=r"not connected|abort"):
        (efs.mountpoint / "two").rename(efs.mountpoint / "three")
    assert (efs.source / "two").exists()


@pytest.fixture(params=["quiet", "hang"])
def owner(request: pytest.FixtureRequest, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process that owns a mount, on which calls hang or do not."""
    command = [sys.executable, "-c", OWNER, folder / "source", folder / "mount", request.param]
    with subprocess.Popen(
        command,
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"mounted\n"
        yield process
        process.kill()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_nothing_is_left_of_it_however_its_owner_ends(
    owner: subprocess.Popen[bytes], folder: Path, number: signal.Signals
) -> None:
    assert is_mounted(folder)
    owner.send_signal(number)
    owner.wait(DEADLINE_S)
    wait_until(lambda: not is_mounted(folder))
    wait_until(lambda: not _users(folder))


def test_it_is_mounted_by_hand_until_it_is_interrupted(folder: Path) -> None:
    places = [str(folder / "source"), str(folder / "mount")]
    command = [sys.executable, "-m", "bench.efs_stand_in", *places]
    with subprocess.Popen(
        [*command, "--metadata-ms=0"], cwd=ROOT, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert b"is mounted at" in process.stdout.readline()
        (folder / "mount" / "file").write_bytes(b"")
        process.send_signal(signal.SIGINT)
        assert b'"create": 1' in process.stdout.read()
        assert process.wait(DEADLINE_S) == 0
    assert not is_mounted(folder)


def test_stopping_takes_away_what_its_processes_left(folder: Path) -> None:
    efs = EfsStandIn(folder / "source", folder / "mount", FAST).start()
    assert efs._keeper is not None
    for pid in _users(folder):
        os.kill(pid, signal.SIGKILL)
    assert is_mounted(folder)
    efs.stop()
    efs.stop()
    assert not is_mounted(folder)


def _users(folder: Path) -> list[int]:
    """The processes that serve the mount in a folder: it is named in their command lines."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                line = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if os.fsencode(folder / "mount") in line:
                found.append(int(entry.name))
    return found
