"""Digests that are computed in a second thread, so that hashing and writing overlap.

OpenSSL releases the GIL while it hashes, and so does Python while the operating system writes.
"""

from __future__ import annotations

import hashlib
import queue
import threading
from typing import TYPE_CHECKING, Final, Self

from model_store.digests import ALGORITHM, Digest

if TYPE_CHECKING:
    from types import TracebackType

_MAX_BLOCKS: Final = 32
"""Maximum number of blocks that wait in memory to be hashed."""


class Hashing:
    """The digest of blocks, in the order of the `update` calls; a context manager.

    The thread starts with the second block, because most files of a model have only one. `digest`
    and leaving the context wait for the thread.
    """

    def __init__(self) -> None:
        self._hash = hashlib.new(ALGORITHM)
        self._blocks: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._room = threading.Semaphore(_MAX_BLOCKS)
        self._thread: threading.Thread | None = None
        self._has_blocks = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._finish()

    def update(self, block: bytes) -> None:
        """Add the next block, which must not change; wait if too many blocks are not hashed yet."""
        if not self._has_blocks:
            self._has_blocks = True
            self._hash.update(block)
            return
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="hashing", daemon=True)
            self._thread.start()
        self._room.acquire()
        self._blocks.put(block)

    def digest(self) -> Digest:
        """Return the digest of all blocks; no `update` may follow."""
        self._finish()
        return Digest(ALGORITHM, self._hash.hexdigest())

    def _work(self) -> None:
        while (block := self._blocks.get()) is not None:
            self._hash.update(block)
            self._room.release()

    def _finish(self) -> None:
        if self._thread is not None:
            self._blocks.put(None)
            self._thread.join()
            self._thread = None
