"""A mount that can be made to fail. Not below pytest's own folders, which others clean up."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bench.efs_stand_in import FAST, EfsStandIn

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder with an empty `source` and `mount`, that other users can come by."""
    made = Path(tempfile.mkdtemp(prefix="coldpress-faults-"))
    made.chmod(0o755)
    for name in ("source", "mount"):
        (made / name).mkdir()
    yield made
    shutil.rmtree(made)


@pytest.fixture
def efs(folder: Path) -> Iterator[EfsStandIn]:
    """An empty folder, mounted without delays."""
    with EfsStandIn(folder / "source", folder / "mount", FAST) as mounted:
        yield mounted
