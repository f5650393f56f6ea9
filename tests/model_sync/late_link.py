"""A hard link that fails with a timeout, and that the server makes all the same, later."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


class LateLink:
    """The next generation's link fails as if its answer were lost; `appear` makes it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._link = os.link
        self._late: list[tuple[Path, bytes]] = []
        monkeypatch.setattr(os, "link", self._linking)

    def _linking(self, source: Path, target: Path) -> None:
        if target.parent.name != "refs":
            self._link(source, target)
            return
        self._late.append((target, source.read_bytes()))
        raise OSError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT))

    def appear(self) -> None:
        """The server had taken the request up, and carries it out only now."""
        ((target, data),) = self._late
        target.write_bytes(data)
