"""The shipped model digits, for tests of swaps and splits: a folder for each training."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Final

from model_sync.progress import Silent
from model_sync.publishing.publish import build_outputs, read_folder
from tests.support.places import ROOT

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Literal

MODEL: Final = ROOT / "models" / "digits"


def write_digits(folder: Path, training: Literal["first", "second"]) -> Path:
    """Make `folder` publish a training of digits; models/digits is built first if need be."""
    _, recipe = read_folder(MODEL, name=None)
    build_outputs(recipe, MODEL, Silent())
    shutil.copytree(MODEL, folder)
    path = folder / "model.toml"
    path.write_text(path.read_text().replace("first", training))
    return folder
