"""Operations that a store depends on behave alike on the mount and on disk: tests run on both."""

# ruff: noqa: PTH104, PTH115, PTH123, PTH208 - the very system calls are what is tested
from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from model_store.names import new_id

if TYPE_CHECKING:
    from pathlib import Path

    from bench.efs_stand_in import EfsStandIn

pytestmark = pytest.mark.slow


@pytest.fixture(params=["local", "mounted"])
def place(request: pytest.FixtureRequest) -> Path:
    """An empty folder: on the disk, or on the mount."""
    if request.param == "local":
        local: Path = request.getfixturevalue("tmp_path")
        return local
    efs: EfsStandIn = request.getfixturevalue("shared_efs")
    return _folder(efs.mountpoint / new_id())


def test_a_name_that_exists_is_not_linked_over_nor_created_anew(place: Path) -> None:
    (place / "a").write_bytes(b"a")
    (place / "b").write_bytes(b"b")
    with pytest.raises(FileExistsError):
        os.link(place / "a", place / "b")
    with pytest.raises(FileExistsError):
        os.open(place / "b", os.O_CREAT | os.O_EXCL | os.O_WRONLY)
    with pytest.raises(FileExistsError):
        (place / "b").mkdir()
    assert (place / "b").read_bytes() == b"b"


def test_of_many_who_link_one_name_one_wins(place: Path) -> None:
    def link(number: int) -> bool:
        (place / f"{number}").write_text(f"{number}")
        try:
            os.link(place / f"{number}", place / "won")
        except FileExistsError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(link, range(32)))
    assert won.count(True) == 1
    assert (place / "won").read_text() == str(won.index(True))


def test_hard_links_are_one_file(place: Path) -> None:
    one, other = place / "one", place / "other"
    one.write_bytes(b"one")
    os.link(one, other)
    assert one.stat().st_ino == other.stat().st_ino
    assert one.stat().st_nlink == 2
    other.write_bytes(b"changed")
    assert one.read_bytes() == b"changed"
    one.unlink()
    assert other.stat().st_nlink == 1
    assert other.read_bytes() == b"changed"


def test_a_rename_replaces_a_file_and_moves_a_folder_with_what_is_in_it(place: Path) -> None:
    (place / "from").mkdir()
    (place / "from" / "deep").mkdir()
    (place / "from" / "deep" / "file").write_bytes(b"new")
    (place / "file").write_bytes(b"old")
    os.rename(place / "from", place / "to")
    os.rename(place / "to" / "deep" / "file", place / "file")
    assert (place / "file").read_bytes() == b"new"
    assert sorted(os.listdir(place)) == ["file", "to"]
    assert list((place / "to" / "deep").iterdir()) == []
    with pytest.raises(OSError, match="not empty"):
        os.rename(_folder(place / "another"), place / "to")


def test_two_names_of_one_file_renamed_to_each_other_stay_two(place: Path) -> None:
    (place / "a").write_bytes(b"")
    os.link(place / "a", place / "b")
    os.rename(place / "a", place / "b")
    assert sorted(os.listdir(place)) == ["a", "b"]


def test_a_file_that_is_renamed_over_all_the_time_can_always_be_read(place: Path) -> None:
    target = place / "refs.json"
    target.write_bytes(b"0" * 5000)

    def replace(_: int) -> None:
        for number in range(100):
            made = place / f"temporary-{number}"
            made.write_bytes(b"%d" % (number % 10) * 5000)
            os.rename(made, target)

    def read(_: int) -> None:
        for _ in range(300):
            assert len(set(target.read_bytes())) == 1

    with ThreadPoolExecutor(4) as pool:
        work = [pool.submit(replace, 0), *(pool.submit(read, number) for number in range(3))]
        for each in work:
            each.result()


def test_an_open_file_outlives_its_name(place: Path) -> None:
    (place / "file").write_bytes(b"still here")
    with (place / "file").open("r+b") as stream:
        (place / "file").unlink()
        assert not (place / "file").exists()
        assert stream.read() == b"still here"
        stream.write(b", and more")
        stream.seek(0)
        assert stream.read() == b"still here, and more"
        assert os.fstat(stream.fileno()).st_nlink == 0


def test_modes_are_what_was_asked_for(place: Path) -> None:
    before = os.umask(0o077)
    try:
        os.close(os.open(place / "file", os.O_CREAT | os.O_WRONLY, 0o644))
        (place / "folder").mkdir(0o755)
    finally:
        os.umask(before)
    assert _mode(place / "file") == 0o600
    assert _mode(place / "folder") == 0o700
    (place / "file").chmod(0o644)
    (place / "folder").chmod(0o755)
    assert _mode(place / "file") == 0o644
    assert _mode(place / "folder") == 0o755
    os.utime(place / "file", ns=(10**18, 10**18 + 1))
    assert (place / "file").stat().st_mtime_ns == 10**18 + 1


def test_what_is_written_at_offsets_appended_and_cut_is_there(place: Path) -> None:
    path = place / "file"
    fd = os.open(path, os.O_CREAT | os.O_RDWR | os.O_TRUNC)
    os.pwrite(fd, b"end", 3_000_000)
    os.pwrite(fd, b"begin", 0)
    os.fsync(fd)
    os.close(fd)
    with path.open("ab") as stream:
        stream.write(b"more")
    data = path.read_bytes()
    assert (data[:5], data[-7:], len(data)) == (b"begin", b"endmore", 3_000_007)
    os.truncate(path, 2)
    assert path.read_bytes() == b"be"
    path.write_bytes(b"x")  # O_TRUNC
    assert path.read_bytes() == b"x"


def test_a_folder_of_many_names_lists_each_once(place: Path) -> None:
    names = sorted(f"{number:05}-{'n' * (number % 60)}" for number in range(1200))
    for name in names:
        (place / name).touch()
    assert sorted(os.listdir(place)) == names
    with os.scandir(place) as entries:
        for number, entry in enumerate(entries):
            if number % 2:
                (place / entry.name).unlink()
    assert len(os.listdir(place)) == 600


def test_folders_are_synced_and_refuse_what_they_must(place: Path) -> None:
    made = _folder(place / "folder")
    fd = os.open(made, os.O_RDONLY | os.O_DIRECTORY)
    os.fsync(fd)
    os.close(fd)
    (made / "file").touch()
    with pytest.raises(OSError, match="not empty"):
        made.rmdir()
    with pytest.raises(NotADirectoryError):
        os.open(made / "file", os.O_RDONLY | os.O_DIRECTORY)
    with pytest.raises(IsADirectoryError):
        made.unlink()


def test_links_are_what_they_say_and_not_followed_where_they_must_not_be(place: Path) -> None:
    (place / "link").symlink_to("nowhere/at/all")
    assert os.readlink(place / "link") == "nowhere/at/all"
    with pytest.raises(OSError, match="symbolic") as caught:
        os.open(place / "link", os.O_RDONLY | os.O_NOFOLLOW)
    assert caught.value.errno == errno.ELOOP
    os.utime(place / "link", ns=(10**18, 10**18), follow_symlinks=False)
    assert (place / "link").lstat().st_mtime_ns == 10**18
    (place / "nowhere").mkdir()
    (place / "nowhere" / "at").mkdir()
    (place / "nowhere" / "at" / "all").write_bytes(b"here")
    assert (place / "link").read_bytes() == b"here"


def test_names_may_be_any_bytes_and_are_compared_as_such(place: Path) -> None:
    for name in (b"\xff\xfe", "é".encode(), b"with blanks and \n"):
        path = os.fsencode(place) + b"/" + name
        with open(path, "wb") as stream:
            stream.write(name)
        with open(path, "rb") as stream:
            assert stream.read() == name


def test_space_is_told_as_it_is(place: Path) -> None:
    found = os.statvfs(place)
    assert found.f_bavail * found.f_frsize > 1 << 20
    assert found.f_namemax == 255


def test_locks_of_two_descriptors_exclude_each_other(place: Path) -> None:
    with (place / "lock").open("w") as one, (place / "lock").open("w") as other:
        fcntl.flock(one, fcntl.LOCK_EX)
        with pytest.raises(BlockingIOError):
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_writers_and_renamers_at_once_leave_what_they_made(place: Path) -> None:
    def work(number: int) -> None:
        for turn in range(30):
            staged = _folder(place / f"staged-{number}-{turn}")
            (staged / "file").write_text(f"{number}")
            os.rename(staged, place / f"{number}-{turn}")
            with contextlib.suppress(FileExistsError):
                os.link(place / f"{number}-{turn}" / "file", place / f"first-{turn}")

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(work, range(6)))
    assert len(os.listdir(place)) == 6 * 30 + 30
    for number in range(6):
        for turn in range(30):
            assert (place / f"{number}-{turn}" / "file").read_text() == f"{number}"


def _folder(path: Path) -> Path:
    path.mkdir()
    return path


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)
