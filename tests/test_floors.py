"""`make check` refuses a file in the wrong room: the contracts of pyproject.toml, run on copies."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.support.places import ROOT

ROOMS = ("model_store", "model_sync", "inference", "infra", "bench")


def lint(folder: Path, **files: str) -> subprocess.CompletedProcess[str]:
    """Run import-linter on a copy of the packages with these files, by dotted name, added."""
    for room in ROOMS:
        shutil.copytree(ROOT / room, folder / room, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    for name, text in files.items():
        (folder / name.replace(".", "/")).with_suffix(".py").write_text(text)
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    environ = {**os.environ, "PYTHONPATH": str(folder), "COLUMNS": "200", "NO_COLOR": "1"}
    return subprocess.run(
        command, cwd=folder, env=environ, capture_output=True, text=True, check=False, timeout=120
    )


WRONG = {
    "inference.serving.statuses": (  # an import of a floor above
        "from inference.http import responses as responses\n",
        "inference.serving is not allowed to import inference.http",
    ),
    "model_sync.store_io.owners": (  # an import for types alone
        "import typing as t\nif t.TYPE_CHECKING:\n    import model_sync.sources.source\n",
        "model_sync.store_io is not allowed to import model_sync.sources",
    ),
    "model_store.extremes": (  # a circle
        "from model_store import other_extremes as other_extremes\n",
        "No cycles are allowed in model_store.",
    ),
    "model_store.other_extremes": (
        "from model_store import extremes as extremes\n",
        "No cycles are allowed in model_store.",
    ),
}


def test_a_file_in_the_wrong_room_is_refused(tmp_path: Path) -> None:
    ended = lint(tmp_path, **{module: text for module, (text, _) in WRONG.items()})
    assert ended.returncode == 1
    assert [said for _, said in WRONG.values() if said not in ended.stdout] == []


def test_a_file_under_no_floor_is_refused(tmp_path: Path) -> None:
    ended = lint(tmp_path, **{"model_sync.odds_and_ends": ""})
    assert ended.returncode == 1
    assert "model_sync.odds_and_ends" in ended.stdout
