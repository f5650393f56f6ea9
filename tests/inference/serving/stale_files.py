"""Files that cannot be opened, as a client of NFS meets them: an error of the system, by name."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pytest


class FailingOpens:
    """Makes opening files of a name fail, `times` times (None: always); counts how often it did.

    Every opening of the store's files is one `os.open` of a bare name (model_store/files.py).
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.hits = 0
        self._name: str | None = None
        self._error = 0
        self._left: int | None = 0
        self._open = os.open
        monkeypatch.setattr(os, "open", self._opened)

    def fail(self, name: str, error: int, times: int | None = 1) -> None:
        self._name, self._error, self._left = name, error, times

    def heal(self) -> None:
        self._name = None

    def _opened(self, path: Any, *arguments: Any, **options: Any) -> int:
        if path == self._name and self._left != 0:
            self._left = None if self._left is None else self._left - 1
            self.hits += 1
            raise OSError(self._error, os.strerror(self._error), str(path))
        return self._open(path, *arguments, **options)
