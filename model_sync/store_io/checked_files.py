"""Reads whole files against what a manifest says of them, block by block: to verify, and to copy.

Nothing is held in memory but a block, and of a file that has grown no more is read than shows it.
"""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING, Final

from model_store.chunks import ChunkDigests
from model_store.digests import ALGORITHM, Digest
from model_store.errors import DamagedError
from model_store.files import open_beneath
from model_sync.store_io import durable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from model_store.files import FileEntry

_BLOCK_BYTES: Final = 1 << 20


def checked_blocks(
    folder: Path, entry: FileEntry, chunks: Iterable[tuple[str, ...]] = ()
) -> Iterator[memoryview]:
    """The blocks of a file below `folder`, compared with its entry as they are read.

    Raises DamagedError, at the latest after the last block: missing, no regular file, reached over
    a link, another size or digest. A block is good until the next is asked for. `chunks` are what
    manifests say of the digests of its chunks: all of them are to be right.
    """
    path, digest, size = folder / entry.path, hashlib.new(ALGORITHM), 0
    chunk_digests = ChunkDigests()
    block = memoryview(bytearray(min(entry.size_bytes + 1, _BLOCK_BYTES)))
    try:
        with open_beneath(folder, entry.path) as stream:
            while size <= entry.size_bytes and (count := stream.readinto(block)):
                digest.update(block[:count])
                if chunks:
                    chunk_digests.update(block[:count])
                size += count
                yield block[:count]
    except FileNotFoundError:
        raise DamagedError(f"{path} is missing") from None
    except OSError as error:
        raise DamagedError(f"{path} cannot be read: {error.strerror}") from error
    if size != entry.size_bytes:
        found = f"{size} bytes" if size < entry.size_bytes else "more"
        raise DamagedError(
            f"{path} is damaged: published as {entry.size_bytes} bytes, it has {found}"
        )
    read = Digest(ALGORITHM, digest.hexdigest())
    if read != entry.digest:
        raise DamagedError(
            f"{path} is damaged: published with digest {entry.digest}, it has {read}"
        )
    if any(each != chunk_digests.digests for each in chunks):
        raise DamagedError(
            f"{path} is not what its preparation's manifest says of its chunks: prepare it --again"
        )


def copy_whole(
    folder: Path, entry: FileEntry, target: Path, advance: Callable[[int], None]
) -> None:
    """Copy a file below `folder` to `target`, which must not exist, checking it on the way.

    Durable when it returns, but for its name; blocks of zeros become holes. Raises DamagedError as
    `checked_blocks` does, and OSError where `target` cannot be written.
    """
    size, written = 0, 0
    with os.fdopen(durable.create_file(target), "wb", buffering=0) as out:
        for block in checked_blocks(folder, entry):
            size += len(block)
            if block == bytes(len(block)):
                written = out.seek(size)
            while written < size:
                written += out.write(block[written - size :])
            advance(len(block))
        out.truncate(size)  # it may end in a hole
        os.fsync(out.fileno())
