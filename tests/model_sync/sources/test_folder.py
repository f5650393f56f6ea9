from __future__ import annotations

import os
import socket
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from model_sync.errors import SourceError
from model_sync.sources.folder import FolderSource
from model_sync.store_io.staging import BLOCK_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable

DEADLINE_S: Final = 20.0


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model's folder with a file, and folders beside it that are not the model's."""
    for name in ("model", "model-2", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_bytes(name.encode())
    return tmp_path / "model"


def _read(folder: Path, path: str) -> bytes:
    blocks: list[bytes] = []
    FolderSource(folder).copy(path, blocks.append)
    return b"".join(blocks)


@pytest.mark.parametrize(
    "path", ["a", "a/b/c", ".hidden", "größe/モデル.onnx", "with space", "e\u0301", "\u00e9"]
)
@pytest.mark.parametrize("data", [b"", b"bytes"])
def test_a_file_is_read_under_any_ordinary_name(folder: Path, path: str, data: bytes) -> None:
    (folder / path).parent.mkdir(parents=True, exist_ok=True)
    (folder / path).write_bytes(data)
    assert _read(folder, path) == data
    assert FolderSource(folder).size_bytes(path) == len(data)


@pytest.mark.parametrize("target", ["file", "../model/file", "sub/../file"])
def test_a_link_inside_is_followed(folder: Path, target: str) -> None:
    (folder / "sub").mkdir()
    (folder / "link").symlink_to(target)
    assert _read(folder, "link") == b"model"


def test_a_link_with_an_absolute_target_inside_is_followed(folder: Path) -> None:
    (folder / "sub").symlink_to(folder)
    (folder / "link").symlink_to(folder / "sub" / "file")
    assert _read(folder, "link") == b"model"


def test_the_folder_itself_may_be_a_link(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(folder)
    assert _read(tmp_path / "link", "file") == b"model"
    assert FolderSource(tmp_path / "link").files() == ("file",)


def test_the_folder_may_be_relative(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder.parent)
    assert _read(Path("model"), "file") == b"model"
    assert FolderSource(Path("model")).files() == ("file",)


def test_a_large_file_is_given_in_blocks_and_in_order(folder: Path) -> None:
    data = bytes(range(256)) * (BLOCK_BYTES // 256) * 2 + b"rest"
    (folder / "large").write_bytes(data)
    blocks: list[bytes] = []
    FolderSource(folder).copy("large", blocks.append)
    assert [len(block) for block in blocks] == [BLOCK_BYTES, BLOCK_BYTES, 4]
    assert b"".join(blocks) == data


def test_what_messages_call_it_is_its_path(folder: Path) -> None:
    assert FolderSource(folder).name == str(folder)


@pytest.mark.parametrize(
    ("path", "there"), [("file", True), ("dangling", True), ("no", False), ("sub", False)]
)
def test_it_tells_whether_it_has_a_file(folder: Path, path: str, *, there: bool) -> None:
    (folder / "sub").mkdir()
    # A link to nothing is not nothing: reading it says what is wrong.
    (folder / "dangling").symlink_to("nothing")
    assert FolderSource(folder).has(path) is there


@pytest.mark.parametrize("target", ["../other/file", "../model-2/file", "/etc/hostname", "/"])
def test_a_link_that_leads_out_is_refused(folder: Path, target: str) -> None:
    (folder / "link").symlink_to(target)
    with pytest.raises(SourceError, match="link leads out of the model's folder"):
        _read(folder, "link")


def test_a_folder_that_leads_out_is_refused(folder: Path) -> None:
    (folder / "sub").symlink_to("../model-2")
    with pytest.raises(SourceError, match="leads out of the model's folder"):
        _read(folder, "sub/file")


@pytest.mark.parametrize("path", ["../other/file", "/etc/hostname", "", ".", "sub//file", "a\nb"])
def test_a_path_that_leads_out_is_refused(folder: Path, path: str) -> None:
    with pytest.raises(SourceError, match="is refused"):
        _read(folder, path)


def _missing(folder: Path) -> None:
    pass


def _dangling(folder: Path) -> None:
    (folder / "it").symlink_to("nothing")


def _loop(folder: Path) -> None:
    (folder / "it").symlink_to("ti")
    (folder / "ti").symlink_to("it")


def _subfolder(folder: Path) -> None:
    (folder / "it").mkdir()


def _socket(folder: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(folder / "it"))


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (_missing, "it is missing"),
        (_dangling, "it is missing"),
        (_loop, "it cannot be read"),
        (_subfolder, "it is not a regular file"),
        (_socket, "it is not a regular file"),
    ],
)
def test_what_is_no_file_is_refused_and_nothing_stays_open(
    folder: Path, make: Callable[[Path], None], reason: str
) -> None:
    make(folder)
    before = len(list(Path("/proc/self/fd").iterdir()))
    with pytest.raises(SourceError, match=reason) as caught:
        _read(folder, "it")
    assert str(folder) in str(caught.value)
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_a_pipe_is_refused_and_not_waited_for(folder: Path) -> None:
    os.mkfifo(folder / "it")
    refusals: list[str] = []

    def read() -> None:
        try:
            _read(folder, "it")
        except SourceError as error:
            refusals.append(str(error))

    reader = threading.Thread(target=read)
    reader.start()
    reader.join(DEADLINE_S)
    waited = reader.is_alive()
    if waited:
        os.close(os.open(folder / "it", os.O_WRONLY))
        reader.join()
    assert not waited
    assert refusals == [f"{folder / 'it'} is not a regular file"]


def test_a_device_is_refused() -> None:
    with pytest.raises(SourceError, match="/dev/zero is not a regular file"):
        _read(Path("/dev"), "zero")


def test_a_file_in_place_of_a_folder_is_refused(folder: Path) -> None:
    with pytest.raises(SourceError, match="file/file"):
        _read(folder, "file/file")
