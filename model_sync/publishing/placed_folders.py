"""Folders that a writer renamed to their final place before a generation of refs names them.

No reader sees a folder that refs do not name. After a lost race or a failure, the folders are
withdrawn into staging and removed.
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
    """The folders that one writer has placed for one model, by their ids."""

    def __init__(self, model: ModelLayout, staging: Staging) -> None:
        self._model = model
        self._staging = staging
        self._targets: dict[str, Path] = {}

    def __contains__(self, folder_id: str) -> bool:
        return folder_id in self._targets

    def place(self, staged: str, target: Path) -> None:
        """Rename a staged folder to its final place; do nothing if that has been done."""
        if target.name not in self._targets:
            self._targets[target.name] = target
            self._staging.publish(staged, target)

    def check(self) -> None:
        """Check, right before the link, that a generation may name these folders.

        Raises OutOfTimeError or ChangeError (refs/model_removal.py).
        """
        check_placed(self._model.folder.name, self._targets)

    def leave(self) -> None:
        """Leave the folders in place, because it is uncertain if the link was made.

        The link may still appear, and then its folders must exist. A folder that refs do not name
        does no harm; a missing folder that refs name does.
        """
        self._targets.clear()

    def withdraw_unnamed(self) -> None:
        """Withdraw the folders that the newest generation does not name, as after a lost race."""
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
