"""Making a generation of refs the newest: one link commits, then `settle` heals `refs.json`.

1. The new refs are a complete, fsynced file in staging.
2. It is linked to `refs/<generation>.json`. Whoever links first has won; who has lost reads that
   generation and decides again. After an answer that leaves doubt (NFS may repeat a link that
   succeeded, and report that the name exists) the writer's id inside the file says who won.
3. `settle` installs the newest generation as `refs.json`, by linking it to a temporary name and
   renaming that, then looks again until nothing newer exists.

A model may be removed, and one made anew at its name (model_removal.py), while a writer is under way. A
generation that was linked counts only if the one before it is of the same model then: what was
linked into another model's folder is taken back, and its writer has lost.

No lock is taken: two writers at once are two links, of which one fails.
"""

from __future__ import annotations

import contextlib
import errno
import os
from typing import TYPE_CHECKING, Final

from model_store.documents import FORMAT, MAX_DOCUMENT_BYTES, render
from model_store.errors import DamagedError, NotFoundError, StoreError
from model_store.files import read_beneath
from model_store.names import new_id
from model_store.reading import read_generation, read_model_id, read_upward_from
from model_store.refs import Refs
from model_sync.store_io import durable
from model_sync.store_io.disk_space import naming

if TYPE_CHECKING:
    from model_store.layout import ModelLayout
    from model_sync.store_io.staging import Staging

MAX_LOSSES: Final = 20
"""Far more than a file system that is slow to show what it has would ever take."""


class Losses:
    """Counts what one writer loses, to end one that loses to nobody: it would never be done.

    Whoever loses to another writer finds other refs newest than it had decided on.
    """

    def __init__(self) -> None:
        self._count = 0

    def count(self, before: Refs | None, newest: Refs | None) -> None:
        """Take note of a loss, after which refs are read anew; raises DamagedError."""
        self._count = self._count + 1 if newest == before else 0
        if self._count == MAX_LOSSES:
            name = f"the model {newest.model!r}" if newest else "a new model"
            raise DamagedError(
                f"a change of {name} was not taken {MAX_LOSSES} times, and nobody else made one: "
                "verify says what is wrong"
            )


def try_commit(layout: ModelLayout, staging: Staging, refs: Refs) -> bool:
    """Link refs as their generation; False if another writer was first. Durable when True.

    `refs.writer` must be of this attempt alone: it settles who won when the file system's own
    answer leaves doubt. Also False: the model that they follow was removed.
    """
    if not _follows_same_model(layout, refs):
        return False
    durable.make_folder(layout.refs_folder, within=layout.root)
    staged = staging.path(f"refs-{refs.writer}.json")
    durable.write_file(staged, refs.render())
    target = layout.generation(refs.generation)
    try:
        if durable.link_new(staged, target):
            return _is_in_own_model(layout, refs)
        data = target.read_bytes()
    except OSError as error:
        try:
            data = target.read_bytes()
        except OSError:
            if isinstance(error, FileNotFoundError) and not layout.refs_folder.exists():
                return False
            raise error from None
    won = Refs.parse(data, str(target)).writer == refs.writer
    if won:
        with contextlib.suppress(OSError):  # it is there, and readers see it
            durable.sync_folder(target.parent)
    return won


def settle(layout: ModelLayout, staging: Staging) -> Refs | None:
    """Make `refs.json` the newest generation, and return that; None if there is none.

    Every writing verb begins and ends with it, so that what a crash left between link and rename
    heals at the next.
    """
    while True:
        installed = _read_installed(layout)
        if installed and _is_of_former_model(layout, installed):
            layout.refs_json.unlink(missing_ok=True)
            installed = None
        newest = read_upward_from(layout, installed)
        if newest is None or newest is installed:
            return newest
        temporary = staging.path(f"refs-{new_id()}.json")
        os.link(layout.generation(newest.generation), temporary)
        durable.rename(temporary, layout.refs_json)
        # Renaming one of two names of the same file to the other does nothing (POSIX rename).
        temporary.unlink(missing_ok=True)


def settle_committed(layout: ModelLayout, staging: Staging, refs: Refs) -> str | None:
    """Settle after a commit, which stands whatever comes of this; None: all is well.

    Else one line that says what is left, and what heals it.
    """
    try:
        settle(layout, staging)
    except (OSError, StoreError) as error:
        name = layout.folder.name
        return (
            f"generation {refs.generation} of {name!r} is committed, and its refs.json may not be "
            f"that yet: {error}: `settle {name}` heals it, as the next change does; until then, "
            "servers that are warm may go by what was before"
        )
    return None


def ensure_model(layout: ModelLayout, staging: Staging) -> str:
    """Give a model its MODEL.json if it has none, and return the model's id."""
    try:
        return read_model_id(layout)
    except NotFoundError:
        pass
    durable.make_folder(layout.folder, within=layout.root)
    staged = staging.path(f"model-{new_id()}.json")
    durable.write_file(staged, render({"format": FORMAT, "id": new_id()}))
    durable.link_new(staged, layout.model_json)
    return read_model_id(layout)


def _read_installed(layout: ModelLayout) -> Refs | None:
    path = layout.refs_json
    try:
        with naming(str(path)):  # also where closing it fails, as on NFS
            data = read_beneath(
                layout.root, path.relative_to(layout.root).as_posix(), MAX_DOCUMENT_BYTES
            )
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno in {errno.ELOOP, errno.ENOTDIR}:
            raise DamagedError(f"{path} is a link, or its path leads over one") from error
        raise
    refs = Refs.parse(data, str(path))
    if refs.model != layout.folder.name:
        raise DamagedError(f"{path} is of the model {refs.model!r}")
    return refs


def _follows_same_model(layout: ModelLayout, refs: Refs) -> bool:
    """Whether the generation before is of the same model; of the first: whether the id is.

    Raises DamagedError where `refs.json` says that it is there: losing again and again is no way.
    """
    if refs.generation == 1:
        with contextlib.suppress(NotFoundError):
            return read_model_id(layout) == refs.model_id
        return True
    before = read_generation(layout, refs.generation - 1)
    if before is not None and before.model_id == refs.model_id:
        return not before.is_removed
    installed = _read_installed(layout)
    if installed and installed[:3] == (refs.model, refs.model_id, refs.generation - 1):
        path = layout.generation(refs.generation - 1)
        raise DamagedError(f"{path} is missing or of another model, and refs.json says it is not")
    return False


def _is_in_own_model(layout: ModelLayout, refs: Refs) -> bool:
    """Whether a generation that was just linked lies in the folder of the model that it is of.

    In that order: if the folder was exchanged before the link, the one before it is looked for in
    the folder that came. If it was exchanged after the link, `removed` was linked first there.
    """
    target = layout.generation(refs.generation)
    try:
        linked = read_generation(layout, refs.generation)
        if linked is not None and linked.writer == refs.writer:
            if _follows_same_model(layout, refs):
                return True
            target.unlink(missing_ok=True)
    except (OSError, StoreError):
        return True  # it was linked; that it cannot be read now is no sign that it is not there
    return False


def _is_of_former_model(layout: ModelLayout, installed: Refs) -> bool:
    """Whether `refs.json` is of the model that was here before, by a late `settle` of it."""
    try:
        model_id = read_model_id(layout)
    except NotFoundError:
        return False
    if installed.model_id == model_id:
        return False
    first = read_generation(layout, 1)
    return first is None or first.model_id == model_id
