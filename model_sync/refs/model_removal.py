"""Remove a whole model without losing a concurrent commit to it.

1. A last generation, `removed`, is committed like any other: the writer that links first wins.
   Nothing is committed after it. A writer that finds it as the newest completes the removal and
   starts again with a new model.
2. The folder is renamed to trash in one step. Before the rename, the model's id is checked: a new
   model of the same name has another id. After the rename, the moved folder is checked, and put
   back if it is another model's.
3. A concurrent writer finds that its generation exists already, or that the generation before it
   is of another model (commit.py). It has lost, and decides again on the newest refs.

A crash between 1 and 2 leaves a model that no writer commits to. The next sweep, or the next
publisher of that name, completes the removal.
"""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Final

from model_store.errors import DamagedError, NotFoundError, StoreError
from model_store.layout import TRASH
from model_store.names import id_time
from model_store.reading import read_generation, read_model_id
from model_store.refs import Refs
from model_sync.errors import ChangeError, OutOfTimeError
from model_sync.refs.commit import settle
from model_sync.store_io.trash import Trash, open_folder

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from model_store.layout import ModelLayout, StoreLayout
    from model_sync.store_io.staging import Staging

PLACED_S: Final = 43_200
"""Maximum age of a placed folder that refs may name: half of the time that the sweep waits."""

_TRIES: Final = 5


def newest_to_build_on(layout: StoreLayout, name: str, staging: Staging) -> Refs | None:
    """Settle, and return the newest refs that a writer may build on; None for a new model.

    Completes an interrupted removal; the moved folder stays in trash until the sweep. Raises
    DamagedError if that fails.
    """
    for _ in range(_TRIES):
        newest = settle(layout.model(name), staging)
        if newest is None or not newest.is_removed:
            return newest
        with Trash(layout) as trash:
            remove_folder(layout, newest, trash)
    raise DamagedError(
        f"models/{name} was removed and is still there: sweep, and move it away if that fails"
    )


def check_placed(name: str, placed: Mapping[str, Path]) -> None:
    """Check that the folders that were placed for a generation exist and are young.

    Call this right before the link. The sweep commits a generation and then removes unnamed folders
    that are over a day old; a writer that commits later has read that generation, and calls this
    function after reading it. The removal of a model also removes young folders, but then the
    `removed` generation was linked first. Raises OutOfTimeError or ChangeError.
    """
    if not all(target.exists() for target in placed.values()):
        raise ChangeError(f"{name!r} was removed while it was being published: publish again")
    now_s = time.time()
    if any(now_s - id_time(each) > PLACED_S for each in placed):
        raise OutOfTimeError(
            f"publishing {name!r} took more than {PLACED_S // 3600} hours: publish again"
        )


def remove_folder(layout: StoreLayout, last: Refs, trash: Trash) -> str | None:
    """Move a removed model's folder to trash; return its name there, or None if it was gone.

    `last` is the model's last generation. Raises DamagedError if another model was moved and
    cannot be put back.
    """
    if not last.is_removed:
        raise AssertionError(f"{last.model!r} was not removed: its folder stays")
    place = layout.model(last.model)
    if not _is_same_model(place, last):
        return None
    try:
        with open_folder(layout.root, "models") as models:
            trashed = trash.take(models, last.model)
            if _is_expected(trash, trashed, last):
                return trashed
            _put_back(trash, trashed, models, last.model)
    except FileNotFoundError:
        return None  # another process was first
    return None


def _is_same_model(place: ModelLayout, last: Refs) -> bool:
    """Return True if the model in this folder is still the one that was removed."""
    with contextlib.suppress(NotFoundError):
        if read_model_id(place) != last.model_id:
            return False
    return read_generation(place, last.generation) == last


def _is_expected(trash: Trash, trashed: str, last: Refs) -> bool:
    try:
        data = trash.read(trashed, f"refs/{last.generation}.json")
        return Refs.parse(data, "what was moved to trash") == last
    except (OSError, StoreError):
        return False


def _put_back(trash: Trash, trashed: str, models: int, name: str) -> None:
    try:
        trash.put_back(trashed, models, name)
    except OSError as error:
        raise DamagedError(
            f"models/{name}, a new model, was moved to {TRASH}/{trash.id}/{trashed} by mistake and "
            f"cannot be put back ({error.strerror}): move it by hand, within a day"
        ) from error
