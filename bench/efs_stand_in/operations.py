"""File system operations of pyfuse3's interface: each makes one call of `Tree` through `Traffic`.

Operations that find or create a name return attributes, which the kernel caches for `cache_s`. The
kernel does not ask for cached names and attributes, so those calls are not counted.
"""

# ruff: noqa: D102 - FUSE defines each operation
from __future__ import annotations

import errno
import os
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import pyfuse3

from bench.efs_stand_in.traffic import READ_BYTES, WRITTEN_BYTES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.efs_stand_in.options import Options
    from bench.efs_stand_in.traffic import Traffic
    from bench.efs_stand_in.tree import Found, Tree

_STAT: Final = (
    *("st_mode", "st_nlink", "st_uid", "st_gid", "st_rdev", "st_size", "st_blksize"),
    *("st_blocks", "st_atime_ns", "st_mtime_ns", "st_ctime_ns"),
)
_STATVFS: Final = (
    *("f_bsize", "f_frsize", "f_blocks", "f_bfree", "f_bavail"),
    *("f_files", "f_ffree", "f_favail", "f_namemax"),
)


class _Opened:
    """An open file: its inode, and True if it was written since it was last closed."""

    __slots__ = ("inode", "written")

    def __init__(self, inode: int) -> None:
        self.inode = inode
        self.written = False


class _OpenedFolder(NamedTuple):
    inode: int
    names: list[bytes]


class Operations(pyfuse3.Operations):  # type: ignore[misc]
    """Operations of one mount. FUSE defines their names and their contracts."""

    supports_dot_lookup = False
    enable_writeback_cache = False
    enable_acl = False

    def __init__(self, tree: Tree, traffic: Traffic, options: Options) -> None:
        super().__init__()
        self._tree = tree
        self._traffic = traffic
        self._options = options
        self._files: dict[int, _Opened] = {}
        self._folders: dict[int, _OpenedFolder] = {}

    # Names

    async def lookup(self, parent: int, name: bytes, ctx: Any = None) -> Any:
        try:
            find = partial(self._tree.lookup, parent, name)
            return self._entry(await self._do("lookup", find, (parent, name)))
        except pyfuse3.FUSEError as error:
            if error.errno != errno.ENOENT or not self._options.missing_cache_s:
                raise
        missing = pyfuse3.EntryAttributes()
        missing.st_ino = 0
        missing.entry_timeout = self._options.missing_cache_s
        return missing

    async def forget(self, inode_list: Sequence[tuple[int, int]]) -> None:
        for inode, lookups in inode_list:
            self._tree.forget(inode, lookups)

    async def unlink(self, parent: int, name: bytes, ctx: Any) -> None:
        await self._do("unlink", partial(self._tree.unlink, parent, name), (parent, name))

    async def rmdir(self, parent: int, name: bytes, ctx: Any) -> None:
        await self._do("rmdir", partial(self._tree.rmdir, parent, name), (parent, name))

    async def rename(
        self, parent: int, name: bytes, new_parent: int, new_name: bytes, flags: int, ctx: Any
    ) -> None:
        old, new = (parent, name), (new_parent, new_name)
        await self._do("rename", partial(self._tree.rename, old, new, flags), old, new)

    async def link(self, inode: int, parent: int, name: bytes, ctx: Any) -> Any:
        link = partial(self._tree.link, inode, parent, name)
        return self._entry(await self._do("link", link, (inode, None), (parent, name)))

    async def symlink(self, parent: int, name: bytes, target: bytes, ctx: Any) -> Any:
        link = partial(self._tree.symlink, parent, name, target, (ctx.uid, ctx.gid))
        return self._entry(await self._do("symlink", link, (parent, name)))

    async def mkdir(self, parent: int, name: bytes, mode: int, ctx: Any) -> Any:
        make = partial(self._tree.mkdir, parent, name, mode, (ctx.uid, ctx.gid))
        return self._entry(await self._do("mkdir", make, (parent, name)))

    async def mknod(self, parent: int, name: bytes, mode: int, rdev: int, ctx: Any) -> Any:
        make = partial(self._tree.mknod, parent, name, mode, rdev, (ctx.uid, ctx.gid))
        return self._entry(await self._do("mknod", make, (parent, name)))

    async def readlink(self, inode: int, ctx: Any) -> bytes:
        read = partial(self._tree.readlink, inode)
        target: bytes = await self._do("readlink", read, (inode, None))
        return target

    # Attributes

    async def getattr(self, inode: int, ctx: Any = None) -> Any:
        stat = partial(self._tree.stat, inode)
        return self._entry((inode, await self._do("getattr", stat, (inode, None))))

    async def setattr(self, inode: int, attr: Any, fields: Any, fh: int | None, ctx: Any) -> Any:
        def change() -> os.stat_result:
            if fields.update_size and fh is not None:
                os.ftruncate(fh, attr.st_size)
            elif fields.update_size:
                self._tree.truncate(inode, attr.st_size)
            if fields.update_uid or fields.update_gid:
                user = attr.st_uid if fields.update_uid else -1
                self._tree.chown(inode, user, attr.st_gid if fields.update_gid else -1)
            if fields.update_mode:
                self._tree.chmod(inode, attr.st_mode)
            if fields.update_atime or fields.update_mtime:
                before = self._tree.stat(inode)
                accessed = attr.st_atime_ns if fields.update_atime else before.st_atime_ns
                modified = attr.st_mtime_ns if fields.update_mtime else before.st_mtime_ns
                self._tree.utime(inode, accessed, modified)
            return self._tree.stat(inode)

        return self._entry((inode, await self._do("setattr", change, (inode, None))))

    async def statfs(self, ctx: Any) -> Any:
        found = await self._do("statfs", self._tree.statvfs)
        answer = pyfuse3.StatvfsData()
        for name in _STATVFS:
            setattr(answer, name, getattr(found, name))
        return answer

    # Contents

    async def open(self, inode: int, flags: int, ctx: Any) -> Any:
        fd, unchanged = await self._do(
            "open", partial(self._tree.open, inode, flags), (inode, None)
        )
        self._files[fd] = _Opened(inode)
        if not unchanged:  # the kernel may cache its size; NFS's OPEN returns attributes
            pyfuse3.invalidate_inode(inode, attr_only=True)
        return pyfuse3.FileInfo(fh=fd, keep_cache=unchanged)

    async def create(self, parent: int, name: bytes, mode: int, flags: int, ctx: Any) -> Any:
        make = partial(self._tree.create, parent, name, mode, flags, (ctx.uid, ctx.gid))
        found, fd = await self._do("create", make, (parent, name))
        self._files[fd] = _Opened(found[0])
        self._files[fd].written = True
        return pyfuse3.FileInfo(fh=fd, keep_cache=False), self._entry(found)

    async def read(self, fh: int, off: int, size: int) -> bytes:
        inode = self._files[fh].inode
        read = partial(self._tree.read, inode, fh, off, size)
        # Charge the pipe only for bytes that exist: fewer at the end of a file.
        coming = max(0, min(size, os.fstat(fh).st_size - off))
        data: bytes = await self._do("read", read, (inode, None), size_bytes=coming)
        self._traffic.counts[READ_BYTES] += len(data)
        if self._options.trace:
            self._traffic.reads.append((self._tree.paths(inode)[:1], off, len(data)))
        return data

    async def write(self, fh: int, off: int, buf: bytes) -> int:
        file = self._files[fh]
        write = partial(os.pwrite, fh, buf, off)
        written: int = await self._do("write", write, (file.inode, None), size_bytes=len(buf))
        file.written = True
        self._traffic.counts[WRITTEN_BYTES] += written
        return written

    async def flush(self, fh: int) -> None:
        """Handle a close, once for each descriptor: NFS writes the remaining data then."""
        file = self._files[fh]

        def note() -> None:
            if file.written:
                self._tree.written(file.inode, fh)
                file.written = False

        delay = "written" if file.written else None
        await self._do("flush", note, (file.inode, None), delay=delay)

    async def fsync(self, fh: int, datasync: bool) -> None:
        await self._do("fsync", partial(os.fsync, fh), (self._files[fh].inode, None))

    async def release(self, fh: int) -> None:
        self._traffic.counts["release"] += 1
        del self._files[fh]
        os.close(fh)

    # Folders

    async def opendir(self, inode: int, ctx: Any) -> int:
        open_it = partial(self._tree.open_folder, inode)
        fd: int = await self._do("opendir", open_it, (inode, None))
        self._folders[fd] = _OpenedFolder(inode, [])
        return fd

    async def readdir(self, fh: int, start_id: int, token: Any) -> None:
        """Return as many names as the kernel asks for with their attributes, like READDIRPLUS.

        The names are those that existed when reading of the folder began.
        """
        folder = self._folders[fh]

        def fill() -> None:
            if start_id == 0:
                folder.names[:] = sorted(map(os.fsencode, os.listdir(fh)))
            for number, name in enumerate(folder.names[start_id:], start_id + 1):
                try:
                    found = self._tree.lookup(folder.inode, name)
                except FileNotFoundError:  # it was deleted since
                    continue
                if not pyfuse3.readdir_reply(token, name, self._entry(found), number):
                    self._tree.forget(found[0], 1)
                    return

        await self._do("readdir", fill, (folder.inode, None))

    async def fsyncdir(self, fh: int, datasync: bool) -> None:
        await self._do("fsyncdir", partial(os.fsync, fh), (self._folders[fh].inode, None))

    async def releasedir(self, fh: int) -> None:
        self._traffic.counts["releasedir"] += 1
        del self._folders[fh]
        os.close(fh)

    # Within

    async def _do(
        self,
        operation: str,
        work: Any,
        *about: tuple[int, bytes | None],
        size_bytes: int = 0,
        delay: str | None = None,
    ) -> Any:
        def paths() -> list[str]:
            return [path for each in about for path in self._tree.paths(*each)]

        return await self._traffic.do(operation, paths, work, size_bytes=size_bytes, delay=delay)

    def _entry(self, found: Found) -> Any:
        entry = pyfuse3.EntryAttributes()
        entry.st_ino, status = found
        entry.entry_timeout = entry.attr_timeout = self._options.cache_s
        for name in _STAT:
            setattr(entry, name, getattr(status, name))
        return entry
