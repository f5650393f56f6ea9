"""Throughput of publishing, compared with the best that the same disk and processor can do.

    python -m bench.publish [--megabytes 1000] [--rounds 5] [--folder DIR]

The ways are interleaved, on one file system, with the source in the page cache and with fsync:

- `publish`: stage a model's contents (hash, fsync) and put them into place, as `publish` does,
  without inspection and trial;
- `cp then sha256`: copy by `cp` and `sync`, then one SHA-256 pass (OpenSSL's) over the source;
- `cp beside sha256`: both at once, the lower bound for overlapping them.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bench.results import summarize, write_results
from model_store.names import new_id
from model_sync.progress import Silent
from model_sync.publishing.contents import stage_contents
from model_sync.sources.folder import FolderSource
from model_sync.sources.recipe import PipelineFiles, Recipe
from model_sync.store_io.create_store import open_store
from model_sync.store_io.staging import Staging

if TYPE_CHECKING:
    from collections.abc import Callable

BLOCK: Final = 1 << 20


def main() -> None:
    """Measure, print the table, write the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--megabytes", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--folder", type=Path, default=None, help="on the disk to measure")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="coldpress-bench-", dir=options.folder) as temporary:
        folder = Path(temporary)
        if shutil.disk_usage(folder).free < 4e6 * options.megabytes:
            sys.exit(f"error: {folder} has no room for four times {options.megabytes} MB")
        source = write_source(folder / "source", options.megabytes)
        samples = measure(source, folder, options.rounds)
    speeds = {
        what: [options.megabytes / each for each in values] for what, values in samples.items()
    }
    path = write_results("publish", speeds, "MB/s", megabytes=options.megabytes)
    best = max(summarize(speeds[what])["median"] for what in speeds if what != "publish")
    for what, values in speeds.items():
        found = summarize(values)
        print(
            f"{what:<18} {found['median']:7.0f} MB/s  ({found['p25']:.0f} - {found['p75']:.0f})"
            f"  {found['median'] / best:.2f} of the best of the others"
        )
    print(path)


def write_source(folder: Path, megabytes: int) -> Path:
    """Write a model's folder with one graph of meaningless bytes, which is never loaded."""
    from tests.support.models import write_adder  # noqa: PLC0415 - only here

    write_adder(folder, 1)
    (folder / "pipeline.py").touch()
    block = os.urandom(BLOCK)
    with (folder / "weights.bin").open("wb") as out:
        for _ in range(megabytes * 1_000_000 // BLOCK):
            out.write(block)
    return folder


def measure(source: Path, folder: Path, rounds: int) -> dict[str, list[float]]:
    """Return the seconds of each round by the name of the way."""
    weights = source / "weights.bin"
    ways: dict[str, Callable[[Path], None]] = {
        "publish": lambda target: publish(source, target),
        "cp then sha256": lambda target: copy_then_hash(weights, target),
        "cp beside sha256": lambda target: copy_beside_hash(weights, target),
    }
    samples: dict[str, list[float]] = {what: [] for what in ways}
    for _ in range(rounds):
        for what, way in ways.items():
            target = folder / "target"
            target.mkdir()
            os.sync()
            started = time.perf_counter()
            way(target)
            samples[what].append(time.perf_counter() - started)
            shutil.rmtree(target)
    return samples


def publish(source: Path, target: Path) -> None:
    """Stage a model's contents and put them into place, as one version of a store."""
    layout = open_store(target / "store")
    # The bytes are no graph, so treat them as pipeline data: the code is that for external data.
    recipe = Recipe(name="weights", model_file="model.onnx", pipeline=_PIPELINE)
    with Staging(layout) as staging:
        folder = staging.path("version")
        folder.mkdir()
        stage_contents(recipe, FolderSource(source), folder, Silent())
        staging.publish("version", layout.model("weights").version(new_id()))


def copy_then_hash(weights: Path, target: Path) -> None:
    """Copy with fsync, then hash."""
    subprocess.run(["sh", "-c", _COPY, "sh", weights, target / "copy"], check=True)
    subprocess.run([*_HASH, weights], check=True)


def copy_beside_hash(weights: Path, target: Path) -> None:
    """Copy with fsync, and hash at the same time."""
    with subprocess.Popen([*_HASH, weights]) as hashing:
        subprocess.run(["sh", "-c", _COPY, "sh", weights, target / "copy"], check=True)
        hashing.wait()


_PIPELINE: Final = PipelineFiles("pipeline.py", ("weights.bin",))
# Not sha256sum: Debian's does not use the CPU's SHA instructions, and is a third as fast.
_HASH: Final = (
    *(sys.executable, "-S", "-c"),
    "import hashlib, sys; hashlib.file_digest(open(sys.argv[1], 'rb', 0), 'sha256')",
)
_COPY: Final = 'cp --reflink=never "$1" "$2" && sync "$2"'


if __name__ == "__main__":
    main()
