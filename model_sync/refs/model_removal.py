"""Takes a whole model away, so that nothing that anyone commits to it meanwhile is lost.

1. A last generation, `removed`, is committed as any other is: who links first has won. Nothing is
   ever committed after it: a writer that finds it newest ends the removal and starts anew.
2. The folder is renamed to trash in one step. Before, its id is looked at once more: a model made
   anew at the same name has another. After, what was moved is looked at: it is put back if it is
   not what was meant.
3. A writer that decided on the model as it was before finds the next generation taken, or the one
   before its own of another model (commit.py): it has lost, and decides again on what is there.

Whoever ended between 1 and 2 leaves a model that nobody commits to; the next sweep, or the next
publisher of that name, goes on from there.
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
"""What was put in place longer ago is not named any more: half of what sweep waits."""

_TRIES: Final = 5


def newest_to_build_on(layout: StoreLayout, name: str, staging: Staging) -> Refs | None:
    """The newest refs that a writer may follow; None for a model that is to be made anew. Settles.

    Ends a removal that somebody left half done; what was moved stays in trash, to be swept.
    Raises DamagedError where that does not succeed.
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
    """Return if what was put in place for a generation, by its ids, is young and there.

    Asked right before the link. Sweep moves away what no generation names when it is over a day
    old, after it has committed a generation itself: a writer that commits later has read that one,
    and asked this after it. A whole model goes with what was put in place for it, however young;
    then its last generation was first. Raises OutOfTimeError or ChangeError.
    """
    if not all(target.exists() for target in placed.values()):
        raise ChangeError(f"{name!r} was removed while it was being published: publish again")
    now_s = time.time()
    if any(now_s - id_time(each) > PLACED_S for each in placed):
        raise OutOfTimeError(
            f"publishing {name!r} took more than {PLACED_S // 3600} hours: publish again"
        )


def remove_folder(layout: StoreLayout, last: Refs, trash: Trash) -> str | None:
    """Move a removed model's folder to trash; returns its name there, None if it was gone.

    `last` is its last generation. Raises DamagedError where what was moved was another model, and
    could not be put back.
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
        return None  # somebody else was first
    return None


def _is_same_model(place: ModelLayout, last: Refs) -> bool:
    """Whether the model at this place is still the one that was removed."""
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
            f"models/{name} was made anew, moved to {TRASH}/{trash.id}/{trashed} by mistake, and "
            f"cannot be put back ({error.strerror}): move it by hand, within a day"
        ) from error
