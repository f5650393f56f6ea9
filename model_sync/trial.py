"""Tries a version in a fresh process: loads it, runs its golden cases, measures both.

`try_version` starts this module as a process of its own, so that a model that crashes, or takes
all memory, ends that process and not the publisher, and so that nothing warm flatters the
measurement. The process loads the version with the code that will serve it, from the store's
package set where the version pins one. It can also import whatever its publisher can: on a
developer's machine that is more than a function has, so a trial there does not prove that a
version's package set holds all that its pipeline imports. The sync function's trial does.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from model_store.layout import MANIFEST, StoreLayout
from model_store.preparation import Measurement
from model_store.version import VersionManifest
from model_sync.errors import FULL, SpaceError, TrialError

if TYPE_CHECKING:
    from collections.abc import Mapping

DEADLINE_S: Final = 600
"""A model that takes longer to load and to answer its golden cases cannot be served."""

_NO_ROOM: Final = 96
"""The exit code of a trial whose result could not be written; as no code that Python uses."""

_ROOT: Final = Path(__file__).resolve().parent.parent


def try_version(
    folder: Path, result: Path, *, layout: StoreLayout, config: Mapping[str, str]
) -> Measurement:
    """Load a version's folder in a fresh process and run its golden cases.

    `result` is where the process writes what it found; `layout` is of the store that holds the
    version's package set. Raises TrialError with the reason; SpaceError where the result does not
    fit.
    """
    # Lambda puts its layers on sys.path in the process only; a child would not find them. Package
    # sets that this process itself uses are not for it: it finds its own.
    sets = os.path.abspath(layout.packages) + os.sep  # noqa: PTH100 - of strings
    paths = (path for path in sys.path if path and not path.startswith(sets))
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    # -B: importing a pipeline's neighbour must not leave its bytecode in the version.
    command = [sys.executable, "-B", "-m", "model_sync.trial"]
    places = (folder.resolve(), result.resolve(), layout.root.resolve())
    try:
        done = subprocess.run(
            [*command, *places, json.dumps(dict(config))],
            cwd=_ROOT,
            env=environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=DEADLINE_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise TrialError(f"the trial of the model did not end within {DEADLINE_S} s") from None
    if done.returncode == _NO_ROOM:
        raise SpaceError(f"no room left while writing {result}: make room, and try again")
    if done.returncode < 0:
        name = signal.Signals(-done.returncode).name
        raise TrialError(f"loading the model ended its process with {name}")
    try:
        found = json.loads(result.read_text("utf-8"))
    except (OSError, ValueError):
        lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise TrialError(f"the trial of the model ended early: {lines[-1]}") from None
    if "error" in found:
        raise TrialError(found["error"])
    return Measurement(**found)


def main(arguments: list[str]) -> None:
    """Run in the process of its own: try the version, write the result as JSON."""
    folder, result, root = map(Path, arguments[:3])
    try:
        found = _try(folder, StoreLayout(root), json.loads(arguments[3]))
    except Exception as error:
        found = {"error": str(error) or type(error).__name__}
    try:
        result.write_text(json.dumps(found), "utf-8")
    except OSError as error:
        if error.errno in FULL:
            sys.exit(_NO_ROOM)
        raise


def _try(folder: Path, layout: StoreLayout, config: dict[str, str]) -> dict[str, Any]:
    # Imported before measuring: what they take is every version's, not this one's.
    from inference.golden import run_golden_case  # noqa: PLC0415
    from inference.loader import load_folder  # noqa: PLC0415
    from inference.memory import forget_peak, split_bytes  # noqa: PLC0415

    path = folder / MANIFEST
    manifest = VersionManifest.parse(path.read_bytes(), str(path))
    forget_peak()
    before = split_bytes()
    started = time.perf_counter()
    loaded = load_folder(folder, manifest, 0, layout=layout, config=config)
    load_ms = (time.perf_counter() - started) * 1e3
    first_ms = 0.0
    for number, case in enumerate(manifest.content.golden.cases):
        started = time.perf_counter()
        run_golden_case(loaded, folder, manifest.content, case)
        if number == 0:
            first_ms = (time.perf_counter() - started) * 1e3
    after = split_bytes()
    resident_bytes = max(after.resident_bytes - before.resident_bytes, 0)
    return {
        "load_ms": round(load_ms, 3),
        "first_ms": round(first_ms, 3),
        "peak_bytes": max(after.peak_bytes - before.resident_bytes, resident_bytes),
        "resident_bytes": resident_bytes,
        "mapped_bytes": min(max(after.mapped_bytes - before.mapped_bytes, 0), resident_bytes),
    }


if __name__ == "__main__":
    main(sys.argv[1:])
