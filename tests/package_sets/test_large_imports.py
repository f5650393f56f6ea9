"""Every module of a large set of real packages is what plain import makes of it."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any, Final

import pytest

from inference.process.daemon_thread import in_thread
from model_store.module_index import INDEX, ModuleIndex
from tests.support.commands import environ
from tests.support.places import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.package_sets.real_set import LargeSet

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="the set is for Linux"),
]

FACTS: Final = ROOT / "tests" / "package_sets" / "import_facts.py"
DEADLINE_S: Final = 400
REAL: Final = ("sklearn", "scipy", "pandas", "tokenizers", "PIL", "cv2", "transformers")


def module_names(large_set: LargeSet) -> Iterator[str]:
    """All that an import could name, but for the packages' own tests."""
    path = large_set.site.parent / INDEX
    index = ModuleIndex(path.read_bytes(), str(path))
    for folder in sorted(index.folders()):
        parents = folder.split("/") if folder else []
        for name in sorted(index.folder(folder)):
            parts = [*parents, name]
            is_one = all(part.isidentifier() for part in parts) and not name.startswith("__")
            if is_one and not {"test", "tests"} & {*parts}:
                yield ".".join(parts)


def imported(large_set: LargeSet, how: str, names: list[str], empty: Path) -> Any:
    """Return the facts of a process that imports these modules one after another."""
    words = [how, large_set.layout.root, large_set.manifest.digest, empty, empty]
    done = subprocess.run(
        [sys.executable, str(FACTS), *map(str, words)],
        cwd=empty,
        env=environ({"PYTHONPATH": str(ROOT), "HOME": str(empty)}),
        input="\n".join(names),
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout)
    assert found["is_hooked"] == (how == "hooked")
    return found["modules"]


def test_every_module_is_what_plain_import_makes_of_it(large_set: LargeSet, tmp_path: Path) -> None:
    names = list(module_names(large_set))
    others = in_thread(lambda: imported(large_set, "plain", names, tmp_path), "plain-imports")
    hooked = imported(large_set, "hooked", names, tmp_path)
    plain = others.result(DEADLINE_S)
    assert {name for name in names if hooked[name] != plain[name]} == set()
    came = [name for name in names if "raised" not in plain[name]]
    assert len(came) > 4000
    assert set(came) > set(REAL)
    assert not list(large_set.site.rglob("__pycache__"))
