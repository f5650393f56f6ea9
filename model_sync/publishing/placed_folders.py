"""Folders that a writer puts in place for a generation of refs, before that generation names them.

Until then nothing names them, and no reader sees them: a lost race or a failure takes them back.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from model_store.errors import StoreError
from model_store.reading import read_upward
from model_sync.refs.model_removal import check_placed

if TYPE_CHECKING:
    from pathlib import Path

    from model_store.layout import ModelLayout
    from model_sync.store_io.staging import Staging


class PlacedFolders:
    """What one writer has put in place of one model, by its ids."""

    def __init__(self, model: ModelLayout, staging: Staging) -> None:
        self._model = model
        self._staging = staging
        self._targets: dict[str, Path] = {}

    def __contains__(self, folder_id: str) -> bool:
        return folder_id in self._targets

    def place(self, staged: str, target: Path) -> None:
        """Rename a staged folder to where it belongs; it is left where that was done before."""
        if target.name not in self._targets:
            self._targets[target.name] = target
            self._staging.publish(staged, target)

    def check(self) -> None:
        """Return if all of it may be named by a generation now; asked right before its link.

        Raises OutOfTimeError or ChangeError (refs/model_removal.py).
        """
        check_placed(self._model.folder.name, self._targets)

    def leave(self) -> None:
        """Leave it where it is, named or not: whether a link was made is in doubt.

        The link may yet appear, and what it names must stay. A folder that nothing names does no
        harm; a name without its folder would.
        """
        self._targets.clear()

    def withdraw_unnamed(self) -> None:
        """Remove what is named by no generation, as after a lost race."""
        if not self._targets:
            return
        with contextlib.suppress(OSError, StoreError):
            refs = read_upward(self._model)
            named = set()
            for entry in refs.versions.values() if refs else ():
                named |= {entry.id, *entry.preparations.values()}
            for name, target in self._targets.items():
                if name not in named and target.exists():
                    self._staging.withdraw(target)
