"""Versions of a model that is slow to load and fast to run, and their publication.

Version n answers x + n * STEP; the constant comes from a table of `megabytes` MB. The script is a
publisher at the lowest priority, because a real publisher runs on another machine. It reads a
version number a line, and prints the line after publishing:
`python -m bench.swap_models coldpress|naive FOLDER MEGABYTES`.
"""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from bench.steady_load import STEP
from model_sync.progress import Silent
from model_sync.publishing.publish import publish

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT: Final = Path(__file__).resolve().parent.parent
MODEL: Final = "swapped"


def write_version(path: Path, number: int, megabytes: int) -> None:
    """Write the model y = x + table[argmax(x)], which no optimizer can fold."""
    table = np.full(megabytes * 250_000, number * STEP, np.float32)
    graph = helper.make_graph(
        [
            helper.make_node("ArgMax", ["x"], ["index"], axis=1, keepdims=1),
            helper.make_node("Gather", ["table", "index"], ["found"]),
            helper.make_node("Add", ["x", "found"], ["y"]),
        ],
        MODEL,
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 2])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 2])],
        [numpy_helper.from_array(table, "table")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save_model(model, str(path))


def publish_version(folder: Path, number: int, megabytes: int) -> None:
    """Publish a version into the store `folder/store`."""
    source = folder / "sources" / MODEL
    write_version(source / "model.onnx", number, megabytes)
    published = publish(source, folder / "store", progress=Silent())
    if published.version != number:
        raise RuntimeError(f"version {number} was published as {published.version}")


def replace_file(folder: Path, number: int, megabytes: int) -> None:
    """Replace `folder/model.onnx` atomically by a version."""
    write_version(folder / "next.onnx", number, megabytes)
    (folder / "next.onnx").replace(folder / "model.onnx")


WAYS: Final = {"coldpress": publish_version, "naive": replace_file}


@contextmanager
def publisher(way: str, folder: Path, megabytes: int) -> Iterator[Callable[[int], None]]:
    """Start a publisher in another process; yield a function that publishes a version."""
    with subprocess.Popen(
        [sys.executable, "-m", "bench.swap_models", way, str(folder), str(megabytes)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:

        def publish_in_it(number: int) -> None:
            if not process.stdin or not process.stdout:
                raise RuntimeError("the publisher has no pipes")
            process.stdin.write(f"{number}\n")
            process.stdin.flush()
            if process.stdout.readline() != f"{number}\n":
                raise RuntimeError(f"version {number} was not published")

        try:
            yield publish_in_it
        finally:
            process.kill()


def _main(way: str, folder: str, megabytes: str) -> None:
    os.nice(19)
    for line in sys.stdin:
        WAYS[way](Path(folder), int(line), int(megabytes))
        sys.stdout.write(line)
        sys.stdout.flush()


if __name__ == "__main__":
    _main(*sys.argv[1:])
