"""The documents name files and folders that are there."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.support.places import ROOT

if TYPE_CHECKING:
    from pathlib import Path

ROOMS = "inference|model_sync|model_store|infra|tests|bench|docs|models|requirements"
NAMED = re.compile(rf"`((?:{ROOMS})/[\w./-]*\w/?)`")
BUILT = {"bench/results/"}  # by `make bench`
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_each_file_that_a_document_names_is_there(document: Path) -> None:
    text = document.read_text("utf-8")
    assert [
        name for name in NAMED.findall(text) if name not in BUILT and not (ROOT / name).exists()
    ] == []
