"""docs/packages.md is true of what is left out, and of the errors."""

from __future__ import annotations

import re
from typing import Final

from model_sync.package_sets import pruning
from tests.support.places import ROOT

PAGE: Final = ROOT / "docs" / "packages.md"
SOURCES: Final = ROOT / "model_sync"


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


EXAMPLES: Final = re.compile(
    r"\b(FILE|P|N)\b|\S*[\d/]\S*( on )?|\.\.\.|'[^']*'"
    r"|\bfor (?=Python|\.\.\.)|\bPython (?=\d|\.\.\.)|\bunpacked wheels\b|\bin \.\.\."
)
"""What is another in each message."""


def wording(message: str) -> str:
    """The longest part of a message that is the same in all."""
    return max((part.strip(" :(),@") for part in EXAMPLES.sub("\0", message).split("\0")), key=len)


def test_each_error_of_the_page_is_one_that_is_raised() -> None:
    joined = re.compile(r'"\s*\n\s*f?"')
    sources = [joined.sub("", path.read_text("utf-8")) for path in SOURCES.rglob("*.py")]
    rows = [line for line in section("Errors").splitlines() if line.startswith("| `")]
    messages = [found for row in rows for found in re.findall("`([^`]+)`", row.split(" | ")[0])]
    parts = [wording(message) for message in messages]
    assert min(map(len, parts)) > len("cannot")
    assert [part for part in parts if not any(part in source for source in sources)] == []
