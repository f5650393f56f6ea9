"""Commit a generation of refs with one link, then `settle` to update `refs.json`.

1. The new refs are written to staging as a complete, fsynced file.
2. The file is linked to `refs/<generation>.json`. The writer that links first wins; the others
   read that generation and decide again. If the link's result is ambiguous (NFS may repeat a link
   that succeeded and then report that the name exists), the writer's id inside the file decides.
3. `settle` installs the newest generation as `refs.json`: it links the generation to a temporary
   name, renames that name, and repeats until there is no newer generation.

While a writer works, its model may be removed and another model created with the same name
(model_removal.py). A linked generation therefore counts only if the generation before it belongs
to the same model. A generation that was linked into another model's folder is removed again, and
its writer has lost.

There is no lock: of two concurrent writers' links, one fails.
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
"""Far more than even a file system with slow caches would cause."""


class Losses:
    """Counter of a writer's lost races in a row in which no other writer committed.

    After a real loss the newest refs differ from the refs that the writer decided on. If they stay
    the same, the store is damaged, and the writer would retry forever.
    """

    def __init__(self) -> None:
        self._count = 0

    def count(self, before: Refs | None, newest: Refs | None) -> None:
        """Count a loss, given the refs before and after it; raises DamagedError at the limit."""
        self._count = self._count + 1 if newest == before else 0
        if self._count == MAX_LOSSES:
            name = f"the model {newest.model!r}" if newest else "a new model"
            raise DamagedError(
                f"a change of {name} failed {MAX_LOSSES} times, and no other writer made one: "
                "run verify to see what is wrong"
            )


def try_commit(layout: ModelLayout, staging: Staging, refs: Refs) -> bool:
    """Link refs as their generation. Return True if that succeeded; the commit is then durable.

    Return False if another writer was first, or the model was removed. `refs.writer` must be
    unique to this attempt: it identifies the winner if the file system's answer is ambiguous.
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
        with contextlib.suppress(OSError):  # committed: readers see the generation
            durable.sync_folder(target.parent)
    return won


def settle(layout: ModelLayout, staging: Staging) -> Refs | None:
    """Install the newest generation as `refs.json`, and return it; None if there is none.

    Every operation that writes refs begins and ends with a call, so that the next one repairs what
    a crash between link and rename left.
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
    """Settle after a commit; return None, or one line with the problem and its remedy.

    The commit stands in both cases.
    """
    try:
        settle(layout, staging)
    except (OSError, StoreError) as error:
        name = layout.folder.name
        return (
            f"generation {refs.generation} of {name!r} is committed, but its refs.json may be "
            f"older: {error}: `settle {name}` updates it, as the next change does; until then, "
            "warm servers may use the generation before"
        )
    return None


def ensure_model(layout: ModelLayout, staging: Staging) -> str:
    """Return the model's id; create its MODEL.json if there is none."""
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
        with naming(str(path)):  # closing may fail, too, as on NFS
            data = read_beneath(
                layout.root, path.relative_to(layout.root).as_posix(), MAX_DOCUMENT_BYTES
            )
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno in {errno.ELOOP, errno.ENOTDIR}:
            raise DamagedError(f"{path} is a link, or its path contains one") from error
        raise
    refs = Refs.parse(data, str(path))
    if refs.model != layout.folder.name:
        raise DamagedError(f"{path} is of the model {refs.model!r}")
    return refs


def _follows_same_model(layout: ModelLayout, refs: Refs) -> bool:
    """Return True if the generation before belongs to the same model and is not its removal.

    For generation 1, compare the model's id. Raises DamagedError if that generation is missing
    although `refs.json` names it: otherwise the writer would lose every race.
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
        raise DamagedError(f"{path} is missing or of another model, but refs.json says it is not")
    return False


def _is_in_own_model(layout: ModelLayout, refs: Refs) -> bool:
    """Return True if a generation that was just linked is in the folder of its own model.

    The check follows the link. If the folder was replaced before the link, the new folder has no
    matching generation before. If it was replaced after the link, `removed` was linked first.
    """
    target = layout.generation(refs.generation)
    try:
        linked = read_generation(layout, refs.generation)
        if linked is not None and linked.writer == refs.writer:
            if _follows_same_model(layout, refs):
                return True
            target.unlink(missing_ok=True)
    except (OSError, StoreError):
        return True  # linked: a failure to read it now does not mean that it is gone
    return False


def _is_of_former_model(layout: ModelLayout, installed: Refs) -> bool:
    """Return True if `refs.json` is of a removed model of this name, from a late `settle`."""
    try:
        model_id = read_model_id(layout)
    except NotFoundError:
        return False
    if installed.model_id == model_id:
        return False
    first = read_generation(layout, 1)
    return first is None or first.model_id == model_id
