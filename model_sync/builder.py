"""Runs a model's build script, when an output that it should have made is missing."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

from model_sync.errors import BuildError

if TYPE_CHECKING:
    from pathlib import Path

    from model_sync.recipe import Build


def missing_outputs(folder: Path, build: Build) -> tuple[str, ...]:
    """The outputs that are not there."""
    return tuple(path for path in build.outputs if not (folder / path).is_file())


def run_build(folder: Path, build: Build) -> None:
    """Run the script in the model's folder with this Python; raises BuildError.

    What it prints is shown only if it fails: the last line, as the reason.
    """
    script = folder / build.script
    if not script.is_file():
        raise BuildError(f"{script} is missing: model.toml names it as the build script")
    done = subprocess.run(
        [sys.executable, script.name if script.parent == folder else build.script],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode:
        lines = (done.stderr.strip() or done.stdout.strip()).splitlines()
        reason = lines[-1].removeprefix("error: ") if lines else f"exit code {done.returncode}"
        raise BuildError(f"{script} failed: {reason}")
    missing = missing_outputs(folder, build)
    if missing:
        raise BuildError(f"{script} ended without making {', '.join(missing)}")
