"""Read whole files block by block and compare them with their manifest entries.

Verifying and copying use this module. One block is in memory at a time. Of a file that is longer
than its entry says, reading stops at the first block that is too much.
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
    """Yield the blocks of a file below `folder`, and compare them with the file's entry.

    `chunks`: the chunk digests of this file in each manifest that lists them; all must match. The
    next block overwrites the memory of the one before.

    Raises DamagedError, at the latest after the last block, if the file is missing, is not a
    regular file, is reached through a link, or has another size or digest than its entry.
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
            f"{path} does not match its preparation's chunk digests: prepare it --again"
        )


def copy_whole(
    folder: Path, entry: FileEntry, target: Path, advance: Callable[[int], None]
) -> None:
    """Copy a file below `folder` to `target`, which must not exist, and check it while copying.

    The contents are durable when the function returns; the name in the folder is not yet. Blocks
    of zeros become holes. Raises DamagedError as `checked_blocks` does, and OSError if `target`
    cannot be written.
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
        out.truncate(size)  # the file may end in a hole
        os.fsync(out.fileno())
