from __future__ import annotations

import errno
import os
import socket
import threading
from typing import TYPE_CHECKING, Final

import pytest

from model_store.errors import InvalidNameError
from model_store.files import open_beneath

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

DEADLINE_S: Final = 20.0


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a/b/file, and beside it what must not be reached."""
    folder = tmp_path / "folder"
    (folder / "a" / "b").mkdir(parents=True)
    (folder / "a" / "b" / "file").write_bytes(b"inside")
    (folder / "file").write_bytes(b"inside")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "file").write_bytes(b"outside")
    return folder


def _open_fds() -> int:
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - counted, not walked


@pytest.mark.parametrize("path", ["file", "a/b/file"])
def test_a_file_beneath_is_opened(folder: Path, path: str) -> None:
    before = _open_fds()
    with open_beneath(folder, path) as stream:
        assert stream.read() == b"inside"
        assert not os.get_inheritable(stream.fileno())
    assert _open_fds() == before


def test_the_folder_itself_may_be_reached_through_a_link(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "mount").symlink_to(folder)
    with open_beneath(tmp_path / "mount", "a/b/file") as stream:
        assert stream.read() == b"inside"


def _link_file(folder: Path) -> str:
    (folder / "link").symlink_to("file")
    return "link"


def _link_outside(folder: Path) -> str:
    (folder / "link").symlink_to("../outside/file")
    return "link"


def _link_absolute(folder: Path) -> str:
    (folder / "link").symlink_to(folder.parent / "outside" / "file")
    return "link"


def _link_first_folder(folder: Path) -> str:
    (folder / "linked").symlink_to("../outside")
    return "linked/file"


def _link_inner_folder(folder: Path) -> str:
    (folder / "a" / "linked").symlink_to("b")
    return "a/linked/file"


def _link_middle_folder(folder: Path) -> str:
    (folder / "linked").symlink_to("a")
    return "linked/b/file"


def _link_to_itself(folder: Path) -> str:
    (folder / "link").symlink_to("link")
    return "link"


def _missing(folder: Path) -> str:
    return "a/missing"


def _missing_folder(folder: Path) -> str:
    return "missing/b/file"


def _file_as_folder(folder: Path) -> str:
    return "file/file"


def _directory(folder: Path) -> str:
    return "a/b"


def _pipe(folder: Path) -> str:
    os.mkfifo(folder / "pipe")
    return "pipe"


def _socket(folder: Path) -> str:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(folder / "socket"))
    return "socket"


@pytest.mark.parametrize(
    "make",
    [
        _link_file, _link_outside, _link_absolute, _link_first_folder, _link_inner_folder,
        _link_middle_folder, _link_to_itself, _missing, _missing_folder, _file_as_folder,
        _directory, _socket,
    ],
)  # fmt: skip
def test_nothing_else_is_opened_and_nothing_stays_open(
    folder: Path, make: Callable[[Path], str]
) -> None:
    path = make(folder)
    before = _open_fds()
    with pytest.raises(OSError, match=r"\[Errno"):
        open_beneath(folder, path)
    assert _open_fds() == before


def test_a_pipe_is_refused_and_not_waited_for(folder: Path) -> None:
    path = _pipe(folder)
    refusals: list[int | None] = []

    def read() -> None:
        try:
            open_beneath(folder, path).close()
        except OSError as error:
            refusals.append(error.errno)

    reader = threading.Thread(target=read)
    reader.start()
    reader.join(DEADLINE_S)
    waited = reader.is_alive()
    if waited:
        os.close(os.open(folder / path, os.O_WRONLY))
        reader.join()
    assert not waited
    assert refusals == [errno.EINVAL]


@pytest.mark.parametrize("path", ["../outside/file", "/etc/passwd", "a/../file", "", ".", "a/"])
def test_a_path_that_leaves_the_folder_is_no_path(folder: Path, path: str) -> None:
    with pytest.raises(InvalidNameError):
        open_beneath(folder, path)


def test_a_folder_that_is_missing_is_an_error_of_the_system(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        open_beneath(tmp_path / "missing", "file")
