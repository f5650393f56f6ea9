"""Run a model's build script if one of its outputs is missing.

The script's additional packages are pinned by a requirements file with hashes. They are downloaded
and unpacked for the script alone, come first on its import path, and are removed when it ends.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from model_store.package_set import SITE_PACKAGES, Target
from model_sync.errors import BuildError, PackagesError
from model_sync.package_sets.download import download_wheels
from model_sync.package_sets.unpack import unpack

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from model_sync.sources.recipe import Build


def missing_outputs(folder: Path, build: Build) -> tuple[str, ...]:
    """Return the outputs that do not exist."""
    return tuple(path for path in build.outputs if not (folder / path).is_file())


def run_build(folder: Path, build: Build) -> None:
    """Run the script in the model's folder with this Python; raises BuildError.

    If the script fails, the last line of its output is the reason in the message.
    """
    script = folder / build.script
    if not script.is_file():
        raise BuildError(f"{script} is missing: model.toml names it as the build script")
    with _environ(folder, build) as environ:
        done = subprocess.run(
            [sys.executable, script.name if script.parent == folder else build.script],
            cwd=folder,
            env=environ,
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


@contextlib.contextmanager
def _environ(folder: Path, build: Build) -> Iterator[Mapping[str, str]]:
    """Yield environment variables with which the script can import its requirements."""
    if build.requirements is None:
        yield os.environ
        return
    with tempfile.TemporaryDirectory(prefix="coldpress-build-") as temporary:
        wheels, place = Path(temporary) / "wheels", Path(temporary) / "packages"
        for each in (wheels, place):
            each.mkdir()
        try:
            for wheel in download_wheels(folder / build.requirements, Target.running(), wheels):
                unpack(wheel, place, Path(temporary) / "scratch")
        except PackagesError as error:
            raise BuildError(f"{folder / build.script} cannot be run: {error}") from error
        paths = [str(place / SITE_PACKAGES), *filter(None, [os.environ.get("PYTHONPATH")])]
        yield {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
