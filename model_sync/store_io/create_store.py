"""Open a store for writing, and create it if it does not exist yet.

A store is created only in a folder that is missing or empty. A folder with other contents is
probably a wrong path, and the empty mount point of a file system that is not mounted must not
become a store.
"""

from __future__ import annotations

import errno
import os
import uuid
from typing import TYPE_CHECKING

from model_store.documents import FORMAT, render
from model_store.errors import StoreUnreachableError
from model_store.layout import StoreLayout
from model_store.names import new_id
from model_store.reading import read_store_id
from model_sync.store_io import durable
from model_sync.store_io.disk_space import writing

if TYPE_CHECKING:
    from pathlib import Path


def open_store(root: Path) -> StoreLayout:
    """Return the layout of an existing store, or create one if `root` is missing or empty.

    Raises StoreUnreachableError if `root` is something else or cannot be written; SpaceError if
    the file system is full.
    """
    layout = StoreLayout(root)
    try:
        if layout.store_json.exists():
            read_store_id(layout)
        else:
            with writing(f"a store at {root}"):
                _create(layout)
    except OSError as error:
        raise StoreUnreachableError(f"no store can be made at {root}: {error}") from error
    return layout


def _create(layout: StoreLayout) -> None:
    root = layout.root
    if os.path.ismount(root):
        raise StoreUnreachableError(
            f"{root} is the root of a file system without a STORE.json: "
            "name a folder in it to make a store there"
        )
    if not root.is_dir():
        make_root(root)
    others = [path.name for path in root.iterdir() if not path.name.startswith("STORE.json")]
    if others and not layout.store_json.exists():  # another writer may have just made it
        raise StoreUnreachableError(
            f"{root} is no store: it has no STORE.json, and holds {min(others)!r}"
        )
    # If two writers create the store concurrently, one succeeds and both use the result.
    write_store_json(layout)


def write_store_json(layout: StoreLayout) -> bool:
    """Make a folder a store with a new unique id; return False if it is a store already."""
    staged = layout.root / f"STORE.json.{new_id()}"
    durable.write_file(staged, render({"format": FORMAT, "id": str(uuid.uuid4())}))
    try:
        made = durable.link_new(staged, layout.store_json)
    finally:
        staged.unlink()
    durable.sync_folder(layout.root)
    return made


def make_root(root: Path) -> None:
    """Create the root folder by a rename, so that it appears with its final mode.

    An existing folder may be private on purpose. A later publication could not distinguish it from
    a folder whose creator crashed before setting the mode, so it could not repair the mode either.
    """
    if os.path.lexists(root):
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(root))
    if not root.parent.is_dir():
        durable.make_folder(root.parent)
    staged = root.parent / f".{root.name}.{new_id()}"
    durable.make_folder(staged)
    durable.sync_folder(staged)  # before the rename, as with every staged folder
    try:
        durable.rename(staged, root)
    except OSError:
        staged.rmdir()
        if not root.is_dir():  # otherwise another writer has just made it
            raise
