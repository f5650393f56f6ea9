"""docs/packages.md is true of what is left out."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from model_sync import pruning

PAGE: Final = Path(__file__).resolve().parents[2] / "docs" / "packages.md"


def section(title: str) -> str:
    text = PAGE.read_text("utf-8")
    return text.split(f"\n## {title}\n")[1].split("\n## ")[0]


def test_the_page_names_all_that_is_left_out_and_nothing_else() -> None:
    rows = [
        line.split("|")[1:4] for line in section("What is left out").splitlines() if "|" in line
    ]
    named = {what.strip(): set(re.findall(r"`([^`]+)`", files)) for what, files, _ in rows[2:]}
    assert named == {
        "tests": pruning.TEST_FOLDERS,
        "sources for a compiler": {
            *(*pruning.SOURCES, *pruning.CYTHON_SOURCES, *pruning.TEMPLATES)
        },
        "static libraries": {pruning.STATIC_LIBRARY},
        "stubs": {pruning.STUB},
        "bytecode that goes stale": {pruning.BYTECODE, pruning.BYTECODE_FOLDER},
    }
