"""`python -m model_sync` as a process of its own, the way a person or a script starts it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from tests.support.places import ROOT

if TYPE_CHECKING:
    from pathlib import Path

COMMAND: Final = [sys.executable, "-m", "model_sync"]


class Done(NamedTuple):
    """Outcome and output of a command."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """The one object that was printed."""
        value: dict[str, Any] = json.loads(self.out)
        return value


def environment(**more: str) -> dict[str, str]:
    """This process's environment, with the project on the path and no store chosen."""
    kept = {name: value for name, value in os.environ.items() if name != "STORE_PATH"}
    return {**kept, "PYTHONPATH": str(ROOT), "NO_COLOR": "1", **more}


def run(*arguments: str | Path, cwd: Path | None = None, **more: str) -> Done:
    """Run a command to its end."""
    done = subprocess.run(
        [*COMMAND, *arguments],
        cwd=cwd,
        env=environment(**more),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    return Done(done.returncode, done.stdout, done.stderr)
