"""A mount that can be made to fail. Not below pytest's own folders, which others clean up."""

from __future__ import annotations

import contextlib
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
    with _made() as folder:
        yield folder


@pytest.fixture
def efs(folder: Path) -> Iterator[EfsStandIn]:
    """An empty folder, mounted without delays."""
    with EfsStandIn(folder / "source", folder / "mount", FAST) as mounted:
        yield mounted


@pytest.fixture(scope="module")
def shared_efs() -> Iterator[EfsStandIn]:
    """A mount that a module's tests share, each in a folder of its own."""
    with _made() as folder, EfsStandIn(folder / "source", folder / "mount", FAST) as mounted:
        yield mounted


@contextlib.contextmanager
def _made() -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(prefix="coldpress-faults-"))
    made.chmod(0o755)
    for name in ("source", "mount"):
        (made / name).mkdir()
    try:
        yield made
    finally:
        shutil.rmtree(made)
