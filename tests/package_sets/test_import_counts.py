"""Counts of file system calls for imports from a published set, and their names."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from collections import Counter
from typing import TYPE_CHECKING, Final, NamedTuple

import pytest

from bench.cold_runs import ROOT, WORKERS
from bench.efs_stand_in import FAST, EfsStandIn
from model_store.package_set import SITE_PACKAGES

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.package_sets.real_set import LargeSet

pytestmark = pytest.mark.slow

MODULES: Final = ("sklearn.ensemble", "pandas")
OPTIONS: Final = dataclasses.replace(FAST, cache_s=600.0, trace=True)
"""However long it takes here: a name or an attribute that was asked for once is known."""
CODE_AND_INDEX: Final = ("modules.bin", "modules.idx", "manifest.json")


class Asked(NamedTuple):
    """Number of calls by operation and path; and the names that were missing."""

    lookups: Counter[str]
    getattrs: Counter[str]
    opens: Counter[str]
    listings: int
    missing: list[str]

    @property
    def sources(self) -> list[str]:
        """The sources that were opened."""
        return [path for path in self.opens if path.endswith((".py", ".pyc"))]


@pytest.fixture
def ask(large_set: LargeSet, tmp_path: Path) -> Callable[..., Asked]:
    """Imports in a process of its own from behind a new mount, and says what that asked."""
    source, mount = large_set.layout.root, tmp_path / "mount"
    mount.mkdir()

    def asked(way: str, *arguments: str) -> Asked:
        with EfsStandIn(source, mount, OPTIONS) as efs:
            efs.reset()
            work(way, *(each.replace("MOUNT", str(mount)) for each in arguments))
            traced = efs.traced()
        paths: dict[str, Counter[str]] = {}
        for kind in ("lookup", "getattr", "open"):
            paths[kind] = Counter(path for each, path, *_ in traced if each == kind)
        return Asked(
            lookups=paths["lookup"],
            getattrs=paths["getattr"],
            opens=paths["open"],
            listings=sum(each[0] in {"opendir", "readdir"} for each in traced),
            missing=[path for path in paths["lookup"] if not (source / path).exists()],
        )

    return asked


def work(*arguments: str) -> None:
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    environ["PYTHONDONTWRITEBYTECODE"] = "1"  # other tests use the set, and look for changes
    command = [sys.executable, str(WORKERS / "imports.py"), *arguments]
    subprocess.run(command, env=environ, stdout=subprocess.DEVNULL, check=True, timeout=300)


def test_names_cost_nothing_and_each_file_that_is_used_is_opened_once(
    ask: Callable[..., Asked], large_set: LargeSet
) -> None:
    asked = ask("index", "MOUNT", str(large_set.manifest.digest), *MODULES)
    assert asked.missing == []
    assert asked.listings == 0
    assert asked.sources == []
    assert set(asked.opens.values()) == {1}
    assert set(asked.lookups.values()) == {1}
    used = sum(path.endswith(".so") or ".so." in path for path in asked.opens)
    assert used > 100
    assert len(asked.opens) < used + len(CODE_AND_INDEX) + 10  # and a few files of data
    # The linker asks for attributes once, and what opens a file for Python may ask once more.
    assert max(asked.getattrs.values()) <= 2


def test_what_was_recorded_is_opened_ahead_and_nothing_else_is(
    ask: Callable[..., Asked], large_set: LargeSet, tmp_path: Path
) -> None:
    recorded = tmp_path / "recorded.json"
    digest = str(large_set.manifest.digest)
    work("record", str(large_set.layout.root), digest, str(recorded), *MODULES)
    asked = ask("ours", "MOUNT", digest, str(recorded), *MODULES)
    names = {each["path"] for each in json.loads(recorded.read_text())} | {"manifest.json"}
    folder = large_set.layout.package_set(large_set.manifest.digest)
    prefix = f"{folder.relative_to(large_set.layout.root)}/"
    opened = {path.removeprefix(prefix): count for path, count in asked.opens.items()}
    assert set(opened) == names
    assert set(opened.values()) == {2}  # by a reader ahead, and by the import
    assert asked.missing == []
    assert asked.listings == 0


def test_plain_imports_ask_for_names_that_are_not_there(
    ask: Callable[..., Asked], large_set: LargeSet
) -> None:
    """Calls that are absent from the other tests are counted where they occur."""
    folder = large_set.layout.package_set(large_set.manifest.digest)
    relative = folder.relative_to(large_set.layout.root)
    asked = ask("plain", f"MOUNT/{relative}/{SITE_PACKAGES}", "joblib")
    assert asked.missing
    assert asked.listings
    assert asked.sources
