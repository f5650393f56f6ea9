"""File system calls of an import by a set's index: none for names, one read for code."""

from __future__ import annotations

import importlib
import sys
from importlib.machinery import PathFinder
from typing import TYPE_CHECKING, Any

import pytest

from inference.package_sets.active_sets import PackageSets
from model_store.package_set import SITE_PACKAGES, Target
from model_sync.package_sets.publish import publish_wheels
from model_sync.progress import Silent
from model_sync.store_io.create_store import open_store
from tests.support.wheels import write_wheel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

FILES = {
    "counted_pkg/__init__.py": "from . import first\n",
    "counted_pkg/first.py": "",
    "counted_pkg/second.py": "import counted_module\n",
    "counted_module.py": "",
    "counted_space/inner.py": "",
}
ASKS_NOTHING = {"fspath", "_path_normpath", "_path_splitroot_ex"}
NAMES = ("counted_nosuch", "counted_pkg", "counted_module", "counted_space", "Counted_pkg")


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A set's folder; this process imports from it by its index."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    layout = open_store(tmp_path / "store")
    wheel = write_wheel(tmp_path / "wheels", "counted", files=FILES)
    manifest, _ = publish_wheels((wheel,), layout, Target.running(), Silent())
    with PackageSets().use(layout, manifest.digest, "this test"):
        yield str(layout.package_set(manifest.digest) / SITE_PACKAGES)
    for name in [name for name in sys.modules if name.startswith("counted_")]:
        del sys.modules[name]


def asked(work: Callable[[], object]) -> list[str]:
    """Record the system calls that this thread makes in the context, in order."""
    calls: list[str] = []

    def note(_frame: object, event: str, called: Any) -> None:
        if event == "c_call" and getattr(called, "__module__", None) in {"posix", "_io"}:
            calls.append(called.__name__)

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(before)
    return [name for name in calls if name not in ASKS_NOTHING]


def look(site: str) -> None:
    for name in NAMES:
        PathFinder.find_spec(name, [site])
        PathFinder.find_spec(f"counted_pkg.{name}", [f"{site}/counted_pkg"])


def test_no_name_is_asked_of_the_file_system(site: str) -> None:
    found = [name for name in NAMES if PathFinder.find_spec(name, [site])]
    assert found == ["counted_pkg", "counted_module", "counted_space"]
    assert asked(lambda: look(site)) == []


def test_looking_in_a_plain_folder_is_seen_to_ask(site: str, tmp_path: Path) -> None:
    other = tmp_path / "plain"
    (other / "counted_pkg").mkdir(parents=True)
    calls = asked(lambda: look(str(other)))
    assert "stat" in calls
    assert "listdir" in calls


def test_code_is_read_once_a_module_from_a_file_that_is_opened_once(site: str) -> None:
    sys.path[:] = [site]
    assert asked(lambda: importlib.import_module("counted_pkg")) == ["open", "pread", "pread"]
    assert asked(lambda: importlib.import_module("counted_pkg.second")) == ["pread", "pread"]
    assert asked(lambda: importlib.import_module("counted_space.inner")) == ["pread"]
