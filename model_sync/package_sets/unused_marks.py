"""Delete package sets that no version pins, safely with concurrent publishers that rely on them.

- A sweep marks a set that no version pins: the mark `packages/.unused/<digits>` contains the time.
- A publisher that relies on a set first deletes the mark, then checks that the set exists.
- A sweep that finds a mark that is a day old *claims* the set: it renames the mark into the set's
  folder, as DELETING. If a publisher was first, the mark is gone and the rename fails. After the
  claim, the sweep reads again which sets are pinned, and removes the claim if this one is.
- A publisher that finds a claim completes the deletion, and publishes the set again.
- The manifest is deleted first; without it the folder is no set. The folder itself is deleted last,
  by `rmdir`, which fails if the set has been published again, since a set appears by the rename of
  a complete folder.

Every step uses the descriptor of the set's own folder. So even a step that was suspended for long
works on that folder, and never on a set that was published again at the same path.
"""

from __future__ import annotations

import contextlib
import errno
import os
from typing import TYPE_CHECKING, Final

from model_store import documents
from model_store.documents import FORMAT, MAX_DOCUMENT_BYTES
from model_store.errors import NotFoundError
from model_store.files import read_beneath
from model_store.layout import MANIFEST, UNUSED
from model_store.names import new_id
from model_store.reading import read_package_set
from model_sync.store_io import durable
from model_sync.store_io.trash import Trash, open_folder

if TYPE_CHECKING:
    from model_store.digests import Digest
    from model_store.layout import StoreLayout
    from model_store.package_set import PackageSetManifest
    from model_sync.store_io.staging import Staging

DELETING: Final = "DELETING"
"""The claim: a mark that was renamed into the folder of its set."""

_PACKAGES: Final = "packages"


def rely_on(layout: StoreLayout, digest: Digest) -> PackageSetManifest | None:
    """Protect a set from the sweep for a day and return it; None if it must be published.

    For writers. Completes a deletion in progress. Raises StoreError or OSError.
    """
    with contextlib.suppress(FileNotFoundError):
        layout.unused_mark(digest).unlink()
    if is_claimed(layout, digest):
        with Trash(layout) as trash:
            delete_claimed(layout, digest, trash)
        return None
    try:
        return read_package_set(layout, digest)
    except NotFoundError:
        return None


def is_in_place(layout: StoreLayout, digest: Digest) -> bool:
    """Return True if the set exists and no sweep has claimed it. Writes nothing."""
    if is_claimed(layout, digest):
        return False
    try:
        read_package_set(layout, digest)
    except NotFoundError:
        return False
    return True


def is_claimed(layout: StoreLayout, digest: Digest) -> bool:
    """Return True if a sweep is deleting the set. Opens the claim, which asks an NFS server."""
    return claimed_at(layout, digest) is not None


def claimed_at(layout: StoreLayout, digest: Digest) -> float | None:
    """Return the time of the set's claim, by the file system's clock; None if unclaimed."""
    try:
        with open_folder(layout.root, _PACKAGES, digest.hex) as folder:
            fd = os.open(DELETING, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
            try:
                return os.fstat(fd).st_ctime
            finally:
                os.close(fd)
    except FileNotFoundError:
        return None


def unused_since(layout: StoreLayout, digest: Digest) -> str | None:
    """Return the time in a set's mark; None if it has no mark. Raises DamagedError."""
    mark = layout.unused_mark(digest)
    try:
        data = read_beneath(layout.root, f"{_PACKAGES}/{UNUSED}/{digest.hex}", MAX_DOCUMENT_BYTES)
    except FileNotFoundError:
        return None
    fields = documents.open_document(data, str(mark))
    since = fields.time("unused_since")
    fields.done()
    return since


def mark_unused(layout: StoreLayout, digest: Digest, staging: Staging, now: str) -> None:
    """Mark a set that no version pins; an existing mark stays as it is."""
    mark = layout.unused_mark(digest)
    durable.make_folder(mark.parent)
    staged = staging.path(f"unused-{new_id()}.json")
    durable.write_file(staged, documents.render({"format": FORMAT, "unused_since": now}))
    durable.link_new(staged, mark)


def unmark(layout: StoreLayout, digest: Digest) -> None:
    """Remove the mark and the claim of a set that a version pins."""
    with contextlib.suppress(FileNotFoundError):
        layout.unused_mark(digest).unlink()
    with (
        contextlib.suppress(FileNotFoundError),
        open_folder(layout.root, _PACKAGES, digest.hex) as folder,
    ):
        os.unlink(DELETING, dir_fd=folder)
        os.fsync(folder)


def claim(layout: StoreLayout, digest: Digest) -> bool:
    """Claim a set for deletion; return False if a publisher relies on it, or it is gone."""
    try:
        with (
            open_folder(layout.root, _PACKAGES, UNUSED) as marks,
            open_folder(layout.root, _PACKAGES, digest.hex) as folder,
        ):
            os.rename(digest.hex, DELETING, src_dir_fd=marks, dst_dir_fd=folder)
            os.fsync(folder)
            os.fsync(marks)
    except FileNotFoundError:
        return False
    return True


def delete_claimed(layout: StoreLayout, digest: Digest, trash: Trash) -> tuple[str, ...]:
    """Move a claimed set to trash; return the names there. Safe to call concurrently."""
    trashed = []
    try:
        with open_folder(layout.root, _PACKAGES, digest.hex) as folder:
            if not _has(folder, DELETING):
                return ()  # unclaimed, or published again: a new set has no claim
            others = sorted(os.listdir(folder), key=lambda name: (name != MANIFEST, name))  # noqa: PTH208 - of a descriptor
            for name in others:
                if name != DELETING:
                    with contextlib.suppress(FileNotFoundError):
                        trashed.append(trash.take(folder, name))
            with contextlib.suppress(FileNotFoundError):
                os.unlink(DELETING, dir_fd=folder)
        with open_folder(layout.root, _PACKAGES) as packages:
            _remove_empty(packages, digest.hex)
    except FileNotFoundError:
        pass
    return tuple(trashed)


def _has(folder: int, name: str) -> bool:
    try:
        os.lstat(name, dir_fd=folder)
    except FileNotFoundError:
        return False
    return True


def _remove_empty(parent: int, name: str) -> None:
    try:
        os.rmdir(name, dir_fd=parent)
    except OSError as error:
        # The set was published again, or another process deleted it first.
        if error.errno not in {errno.ENOTEMPTY, errno.EEXIST, errno.ENOENT}:
            raise
    os.fsync(parent)
