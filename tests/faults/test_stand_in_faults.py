"""Faults to inject: by operation, by path, by number of the call, before or after its work."""

# ruff: noqa: PTH208 - the very system calls are what is tested
from __future__ import annotations

import errno
import itertools
import os
from typing import TYPE_CHECKING

import pytest

from bench.efs_stand_in import EfsStandIn, Fault, StandInError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.slow


def write(path: Path) -> None:
    """Write as a store does: create, write, fsync, close."""
    fd = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY)
    try:
        os.write(fd, b"data")
        os.fsync(fd)
    finally:
        os.close(fd)


def sync(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


CALLS: dict[str, Callable[[Path], object]] = {
    "lookup": lambda root: (root / "file").stat(),
    "setattr": lambda root: (root / "file").chmod(0o600),
    "open": lambda root: (root / "file").read_bytes(),
    "read": lambda root: (root / "file").read_bytes(),
    "create": lambda root: write(root / "new"),
    "write": lambda root: write(root / "new"),
    "fsync": lambda root: write(root / "new"),
    "flush": lambda root: write(root / "new"),
    "mkdir": lambda root: (root / "new").mkdir(),
    "rmdir": lambda root: (root / "folder").rmdir(),
    "unlink": lambda root: (root / "file").unlink(),
    "rename": lambda root: (root / "file").rename(root / "new"),
    "link": lambda root: os.link(root / "file", root / "new"),
    "symlink": lambda root: (root / "new").symlink_to("there"),
    "opendir": lambda root: os.listdir(root / "folder"),
    "readdir": lambda root: os.listdir(root / "folder"),
    "fsyncdir": lambda root: sync(root / "folder"),
    "statfs": os.statvfs,
}


@pytest.fixture
def roots(shared_efs: EfsStandIn) -> Iterator[Iterator[Path]]:
    """Return folders on the mount, each with a file and a folder that are not cached yet."""

    def make() -> Iterator[Path]:
        for number in itertools.count(len(os.listdir(shared_efs.source))):
            made = shared_efs.source / f"root-{number}"
            (made / "folder").mkdir(parents=True)
            (made / "file").write_bytes(b"content")
            yield shared_efs.mountpoint / made.name

    yield make()
    shared_efs.heal()


@pytest.mark.parametrize("error", ["EIO", "ESTALE", "ENOSPC", "EDQUOT", "ENOTCONN"])
@pytest.mark.parametrize("operation", CALLS)
def test_an_operation_fails_as_it_is_told_to_and_then_works(
    shared_efs: EfsStandIn, roots: Iterator[Path], operation: str, error: str
) -> None:
    # The kernel itself repeats a call once if a path's answer was ESTALE.
    fault = shared_efs.fail(operation, error, times=None)
    with pytest.raises(OSError, match=os.strerror(getattr(errno, error))):
        CALLS[operation](next(roots))
    assert fault.hits >= 1
    shared_efs.heal()
    CALLS[operation](next(roots))


def test_the_kernel_asks_again_where_an_open_was_stale_once(
    shared_efs: EfsStandIn, roots: Iterator[Path]
) -> None:
    fault = shared_efs.fail("open", "ESTALE")
    assert (next(roots) / "file").read_bytes() == b"content"
    assert fault.hits == 1


def test_the_nth_call_fails_and_those_around_it_do_not(
    shared_efs: EfsStandIn, roots: Iterator[Path]
) -> None:
    root = next(roots)
    fault = shared_efs.fail("mkdir", "EIO", nth=3, times=2)
    made = []
    for number in range(6):
        try:
            (root / f"{number}").mkdir()
        except OSError:
            made.append(False)
        else:
            made.append(True)
    assert made == [True, True, False, False, True, True]
    assert fault.hits == 2


def test_only_paths_of_the_pattern_fail_whatever_the_file_is_called_besides(
    shared_efs: EfsStandIn, roots: Iterator[Path]
) -> None:
    root = next(roots)
    (root / "refs").mkdir()
    (root / "refs" / "1.json").write_bytes(b"refs")
    os.link(root / "refs" / "1.json", root / "temporary")
    (root / "temporary").rename(root / "refs.json")
    fault = shared_efs.fail("open", "EIO", "*/refs.json", times=None)
    with pytest.raises(OSError, match="Input/output"):
        (root / "refs.json").read_bytes()
    assert (root / "file").read_bytes() == b"content"
    assert fault.hits == 1


def test_what_is_renamed_or_linked_matches_by_either_name(
    shared_efs: EfsStandIn, roots: Iterator[Path]
) -> None:
    root = next(roots)
    shared_efs.fail("*", "EIO", "*/secret*", times=None)
    with pytest.raises(OSError, match="Input/output"):
        (root / "file").rename(root / "secret")
    with pytest.raises(OSError, match="Input/output"):
        os.link(root / "file", root / "secret")


def test_an_answer_can_be_lost_of_what_was_done(
    shared_efs: EfsStandIn, roots: Iterator[Path]
) -> None:
    root = next(roots)
    shared_efs.fail("link", "EEXIST", after=True)
    with pytest.raises(FileExistsError):
        os.link(root / "file", root / "won")
    assert (shared_efs.source / root.name / "won").read_bytes() == b"content"
    shared_efs.fail("create", "EIO", after=True)
    with pytest.raises(OSError, match="Input/output"):
        (root / "made").touch()
    assert (shared_efs.source / root.name / "made").exists()


def test_a_fault_that_makes_no_sense_is_refused() -> None:
    with pytest.raises(ValueError, match="'ENONSENSE' is no errno"):
        Fault("open", "ENONSENSE")
    with pytest.raises(ValueError, match="counted from 1"):
        Fault("open", "EIO", nth=0)


def test_what_cannot_be_mounted_says_why(folder: Path) -> None:
    (folder / "source" / "within").mkdir()
    with pytest.raises(StandInError, match="lie one in the other"):
        EfsStandIn(folder / "source", folder / "source" / "within").start()
    with pytest.raises(StandInError, match="No such file or directory"):
        EfsStandIn(folder / "missing", folder / "mount").start()
    with pytest.raises(StandInError, match="mountpoint"):
        EfsStandIn(folder / "source", folder / "missing").start()
