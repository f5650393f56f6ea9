"""Programs that import real packages from a published set: `python -m inference run`, as a user.

They run in an environment that has what the runtime brings and nothing else, as a function has.
"""

from __future__ import annotations

import json
import subprocess
import venv
from contextlib import contextmanager
from importlib.metadata import distribution
from typing import TYPE_CHECKING, Any, Final

from model_sync.package_sets.runtime_packages import installed_runtime
from tests.support.commands import environ
from tests.support.places import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.package_sets.real_set import LargeSet

DEADLINE_S: Final = 300
_SAY: Final = """
import json, sys
hooked = [name for name, module in [*sys.modules.items()]
          if type(getattr(module, "__loader__", None)).__name__.startswith("_Indexed")]
print(json.dumps([said, hooked]))
"""


class Programs:
    """Runs programs with a set, in a folder of their own."""

    def __init__(self, large_set: LargeSet, python: Path, folder: Path) -> None:
        self.folder: Final = folder
        self._large_set, self._python = large_set, python

    def run(self, *words: str | Path) -> str:
        """Return a program's output; it must succeed, and import by the set's index."""
        store, digest = self._large_set.layout.root, self._large_set.manifest.digest
        command = [self._python, "-m", "inference", "run", "--store", store, "--set", digest]
        done = subprocess.run(
            [*map(str, command), *map(str, words)],
            cwd=self.folder,
            env=environ({"PYTHONPATH": str(ROOT), "HOME": str(self.folder)}),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
            check=False,
        )
        assert done.returncode == 0, (done.stdout[-4000:], done.stderr[-4000:])
        assert "without its index" not in done.stderr
        return done.stdout

    def say(self, text: str) -> tuple[Any, set[str]]:
        """Return a script's variable `said`, and the modules that it imported by the index."""
        script = self.folder / "script.py"
        script.write_text(text + _SAY)
        said, hooked = json.loads(self.run(script).splitlines()[-1])
        return said, {*hooked}


@contextmanager
def real_programs(large_set: LargeSet, folder: Path) -> Iterator[Programs]:
    """Programs with a set, of which nothing may have changed at the end."""
    before = listing(large_set.site.parent)
    work = folder / "work"
    work.mkdir()
    yield Programs(large_set, _environment(folder / "environment"), work)
    assert listing(large_set.site.parent) == before
    assert not list(large_set.site.rglob("__pycache__"))


def listing(folder: Path) -> dict[str, tuple[int, int, int]]:
    """Everything below a folder: its size, and when it, or what it holds, was changed."""
    found = {}
    for path in [folder, *folder.rglob("*")]:
        status = path.lstat()
        found[str(path)] = (status.st_size, status.st_mtime_ns, status.st_ctime_ns)
    return found


def _environment(folder: Path) -> Path:
    """The Python of an environment with links to what the runtime brings here."""
    venv.create(folder, symlinks=True)
    (site,) = folder.glob("lib/python*/site-packages")
    for name in installed_runtime():
        found = distribution(name)
        tops = {path.parts[0] for path in found.files or ()} - {"..", "__pycache__"}
        for top in tops:
            if not (site / top).exists():  # a namespace package is of several
                (site / top).symlink_to(str(found.locate_file(top)))
    return folder / "bin" / "python"
