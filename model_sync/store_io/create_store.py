"""Opens a store for writing, and makes one where there is none yet.

A store is made only in a folder that is missing or empty: a folder that holds other things is a
wrong path, and a mount point whose file system is away must not be taken for an empty store.
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
    """Return the layout of an existing store, or of a new one where `root` is missing or empty.

    Raises StoreUnreachableError where `root` is something else, or cannot be written; SpaceError.
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
    strangers = [path.name for path in root.iterdir() if not path.name.startswith("STORE.json")]
    if strangers and not layout.store_json.exists():  # another may have made it meanwhile
        raise StoreUnreachableError(
            f"{root} is no store: it has no STORE.json, and holds {min(strangers)!r}"
        )
    # Of two who make it at once, one makes it; both then use that one.
    write_store_json(layout)


def write_store_json(layout: StoreLayout) -> bool:
    """Make a folder a store, by an id that no store had; False if it is one already."""
    staged = layout.root / f"STORE.json.{new_id()}"
    durable.write_file(staged, render({"format": FORMAT, "id": str(uuid.uuid4())}))
    try:
        made = durable.link_new(staged, layout.store_json)
    finally:
        staged.unlink()
    durable.sync_folder(layout.root)
    return made


def make_root(root: Path) -> None:
    """Make the root by a rename: it appears with its mode.

    A folder that is there already may be private on purpose. So no later publication could tell
    that from one whose maker died before it had its mode, and mend it.
    """
    if os.path.lexists(root):
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(root))
    if not root.parent.is_dir():
        durable.make_folder(root.parent)
    staged = root.parent / f".{root.name}.{new_id()}"
    durable.make_folder(staged)
    durable.sync_folder(staged)  # as all that appears by a rename
    try:
        durable.rename(staged, root)
    except OSError:
        staged.rmdir()
        if not root.is_dir():  # another made it meanwhile
            raise
