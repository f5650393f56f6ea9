"""The source folder by inode, with one open descriptor for each inode that the kernel knows.

Renames need no bookkeeping, because a descriptor follows its file, and no operation looks up a path
twice. Delays, faults and counts are in traffic.py.

A change made directly in the source folder counts as another client's. A file that another client
deleted is ESTALE to processes that have it open, as on NFS; a file deleted through this mount is
not.

Every method makes plain system calls and raises OSError. Not thread-safe.
"""

# ruff: noqa: D102, PTH101, PTH115 - methods are named after their system calls
from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING, Final

from bench.efs_stand_in.known_names import KnownNames

if TYPE_CHECKING:
    from pathlib import Path

ROOT: Final = 1
_HOLD: Final = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC

Found = tuple[int, os.stat_result]
"""An inode's number, stable while mounted, and its attributes."""


class _Node:
    __slots__ = ("deleted_here", "fd", "lookups", "seen")

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.lookups = 0
        self.seen: tuple[int, int, int] | None = None
        self.deleted_here = False


class Tree:
    """A folder by inode. Its descriptors are closed when the process ends."""

    def __init__(self, source: Path) -> None:
        self._source = os.fspath(source)
        root = _Node(os.open(source, _HOLD | os.O_DIRECTORY))
        self._nodes: dict[int, _Node] = {ROOT: root}
        self._names = KnownNames(ROOT)
        self._numbers: dict[tuple[int, int], int] = {_key(os.fstat(root.fd)): ROOT}

    # Names

    def paths(self, inode: int, name: bytes | None = None) -> list[str]:
        """Return the paths of an inode, or of a name in it, relative to the source."""
        return self._names.paths(inode) if name is None else [self._names.path((inode, name))]

    def lookup(self, parent: int, name: bytes) -> Found:
        """Find a name. The kernel knows its inode from this call until `forget`."""
        try:
            fd = os.open(name, _HOLD, dir_fd=self._fd(parent))
        except FileNotFoundError:
            self._names.remove((parent, name))
            raise
        try:
            found = os.fstat(fd)
            number = self._numbers.setdefault(_key(found), len(self._numbers) + ROOT)
            if number not in self._nodes:
                self._nodes[number] = _Node(fd)
                fd = -1
        finally:
            if fd >= 0:
                os.close(fd)
        self._nodes[number].lookups += 1
        self._names.put((parent, name), number)
        return number, found

    def forget(self, inode: int, lookups: int) -> None:
        """Subtract lookups that the kernel forgot; drop the inode at zero."""
        node = self._nodes[inode]
        node.lookups -= lookups
        if node.lookups <= 0 and inode != ROOT:
            os.close(node.fd)
            del self._nodes[inode]
            self._names.forget(inode)

    def unlink(self, parent: int, name: bytes) -> None:
        self._deletes(parent, name)
        os.unlink(name, dir_fd=self._fd(parent))
        self._names.remove((parent, name))

    def rmdir(self, parent: int, name: bytes) -> None:
        self._deletes(parent, name)
        os.rmdir(name, dir_fd=self._fd(parent))
        self._names.remove((parent, name))

    def rename(self, old: tuple[int, bytes], new: tuple[int, bytes], flags: int) -> None:
        if flags:  # NFS has neither RENAME_NOREPLACE nor RENAME_EXCHANGE
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        self._deletes(*new)
        os.rename(old[1], new[1], src_dir_fd=self._fd(old[0]), dst_dir_fd=self._fd(new[0]))
        self._names.move(old, new)

    def link(self, inode: int, parent: int, name: bytes) -> Found:
        os.link(self._magic(inode), name, dst_dir_fd=self._fd(parent))
        return self.lookup(parent, name)

    def symlink(self, parent: int, name: bytes, target: bytes, owner: tuple[int, int]) -> Found:
        os.symlink(target, name, dir_fd=self._fd(parent))
        return self._made(parent, name, owner)

    def mkdir(self, parent: int, name: bytes, mode: int, owner: tuple[int, int]) -> Found:
        os.mkdir(name, mode, dir_fd=self._fd(parent))
        return self._made(parent, name, owner)

    def mknod(
        self, parent: int, name: bytes, mode: int, device: int, owner: tuple[int, int]
    ) -> Found:
        os.mknod(name, mode, device, dir_fd=self._fd(parent))
        return self._made(parent, name, owner)

    def readlink(self, inode: int) -> bytes:
        return os.readlink(b"", dir_fd=self._fd(inode))

    # Attributes

    def stat(self, inode: int) -> os.stat_result:
        """Return an inode's attributes; raise ESTALE if another client deleted it."""
        node = self._nodes[inode]
        found = os.fstat(node.fd)
        _refuse_stale(node, found)
        return found

    def chmod(self, inode: int, mode: int) -> None:
        os.chmod(self._magic(inode), stat.S_IMODE(mode))

    def chown(self, inode: int, user: int, group: int) -> None:
        place, follow = self._itself(inode)
        os.chown(place, user, group, follow_symlinks=follow)

    def truncate(self, inode: int, size: int) -> None:
        os.truncate(self._magic(inode), size)

    def utime(self, inode: int, accessed_ns: int, modified_ns: int) -> None:
        place, follow = self._itself(inode)
        os.utime(place, ns=(accessed_ns, modified_ns), follow_symlinks=follow)

    def statvfs(self) -> os.statvfs_result:
        return os.statvfs(self._source)

    # Contents

    def open(self, inode: int, flags: int) -> tuple[int, bool]:
        """Open a file; return its descriptor, and True if unchanged since last opened or written.

        A file has changed if its size, mtime or ctime differs: a chmod or another link also makes
        an NFS client drop its cache.
        """
        found = self.stat(inode)
        fd = os.open(self._magic(inode), _flags(flags) & ~(os.O_NOFOLLOW | os.O_CREAT))
        node = self._nodes[inode]
        unchanged = node.seen == _state(found)
        node.seen = _state(os.fstat(fd))
        return fd, unchanged

    def create(
        self, parent: int, name: bytes, mode: int, flags: int, owner: tuple[int, int]
    ) -> tuple[Found, int]:
        """Create a missing file. Without O_EXCL, open it if another client was faster."""
        flags = _flags(flags) | os.O_CREAT | os.O_NOFOLLOW
        fd = os.open(name, flags, mode, dir_fd=self._fd(parent))
        try:
            return self._made(parent, name, owner), fd
        except OSError:
            os.close(fd)
            raise

    def read(self, inode: int, fd: int, offset: int, size: int) -> bytes:
        """Read from a file; raise ESTALE if another client deleted it."""
        node = self._nodes.get(inode)
        if node is not None:
            _refuse_stale(node, os.fstat(fd))
        return os.pread(fd, size, offset)

    def written(self, inode: int, fd: int) -> None:
        """Record that the file's current contents were written through this mount."""
        node = self._nodes.get(inode)
        if node is not None:
            node.seen = _state(os.fstat(fd))

    def open_folder(self, inode: int) -> int:
        self.stat(inode)
        return os.open(self._magic(inode), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)

    # Within

    def _fd(self, inode: int) -> int:
        return self._nodes[inode].fd

    def _magic(self, inode: int) -> str:
        """Return a path to the inode itself, even if it was unlinked or renamed (proc(5))."""
        return f"/proc/self/fd/{self._fd(inode)}"

    def _itself(self, inode: int) -> tuple[str, bool]:
        """Return a path to an inode that may be a symbolic link, and True to follow links."""
        magic = self._magic(inode)
        if stat.S_ISLNK(os.fstat(self._fd(inode)).st_mode):
            return str(os.readlink(magic)), False
        return magic, True

    def _made(self, parent: int, name: bytes, owner: tuple[int, int]) -> Found:
        if owner != (os.geteuid(), os.getegid()):
            os.chown(name, *owner, dir_fd=self._fd(parent), follow_symlinks=False)
        return self.lookup(parent, name)

    def _deletes(self, parent: int, name: bytes) -> None:
        """Record that the file of a name is about to be deleted through this mount."""
        try:
            found = os.stat(name, dir_fd=self._fd(parent), follow_symlinks=False)
        except OSError:
            return
        node = self._nodes.get(self._numbers.get(_key(found), 0))
        if node is not None:
            node.deleted_here = True


def _flags(flags: int) -> int:
    """Return a caller's flags without O_APPEND and O_DIRECT: the kernel sends offsets."""
    return (flags & ~(os.O_APPEND | os.O_DIRECT)) | os.O_CLOEXEC


def _key(found: os.stat_result) -> tuple[int, int]:
    return found.st_dev, found.st_ino


def _state(found: os.stat_result) -> tuple[int, int, int]:
    return found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _refuse_stale(node: _Node, found: os.stat_result) -> None:
    if found.st_nlink == 0 and not node.deleted_here:
        raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))
