"""A session computes with as many threads as the environment has processors, and pins none."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from inference.loading.session_threads import MEMORY_VARIABLE, environment_threads, intra_op_threads
from tests.support.models import write_adder
from tests.support.places import ROOT

if TYPE_CHECKING:
    from pathlib import Path

OPEN = """
import json, os, pathlib, sys
from inference.loading.variant_files import VariantFiles
from inference.loading.loader import _open_session

def threads():
    return {int(each) for each in os.listdir("/proc/self/task")}

before = threads()
path, config = pathlib.Path(sys.argv[1]), json.loads(sys.argv[2])
form = VariantFiles(
    path.parent, path.name, (), path.parent, (), config, optimized=False, maps_files=False
)
session = _open_session(form)
options = session.get_session_options()
more = sorted(threads() - before)
print(json.dumps({
    "intra_op": options.intra_op_num_threads,
    "inter_op": options.inter_op_num_threads,
    "mode": options.execution_mode.name,
    "spinning": options.get_session_config_entry("session.intra_op.allow_spinning"),
    "started": len(more),
    "pinned": [each for each in more if os.sched_getaffinity(each) != os.sched_getaffinity(0)],
    "cores": len(os.sched_getaffinity(0)),
}))
"""


@pytest.mark.parametrize(
    ("memory_mb", "cores", "threads"),
    [
        (128, 2, 1),
        (1768, 2, 1),
        (1769, 2, 1),
        (3008, 2, 1),
        (3537, 3, 1),
        (3538, 3, 2),
        (10_240, 6, 5),
        (10_614, 6, 6),
        (10_240, 2, 2),
        (None, 1, 1),
        (None, 8, 8),
        (None, 0, 1),
        (1769, 0, 1),
    ],
)
def test_an_environment_has_one_thread_a_whole_processor(
    memory_mb: int | None, cores: int, threads: int
) -> None:
    assert intra_op_threads(memory_mb, cores) == threads


def test_the_memory_is_what_lambda_says() -> None:
    assert environment_threads({MEMORY_VARIABLE: "1769"}) == 1


@pytest.mark.parametrize("environ", [{}, {MEMORY_VARIABLE: ""}], ids=["not set", "empty"])
def test_off_lambda_every_core_is_ours(environ: dict[str, str]) -> None:
    assert environment_threads(environ) == len(os.sched_getaffinity(0))


@pytest.mark.parametrize("text", ["0", "-1769", "1.5", "much", "²"])
def test_memory_that_is_no_number_is_refused_by_name(text: str) -> None:
    with pytest.raises(ValueError, match=MEMORY_VARIABLE):
        environment_threads({MEMORY_VARIABLE: text})


def test_a_session_on_one_processor_starts_no_thread(tmp_path: Path) -> None:
    found = _open(tmp_path, memory_mb=1769)
    assert (found["intra_op"], found["started"]) == (1, 0)


def test_no_thread_of_a_session_is_pinned_to_a_core(tmp_path: Path) -> None:
    found = _open(tmp_path)
    assert found["intra_op"] == found["cores"]
    assert found["started"] == found["cores"] - 1
    assert found["pinned"] == []


def test_a_session_runs_one_node_after_the_other_and_does_not_spin(tmp_path: Path) -> None:
    found = _open(tmp_path)
    assert (found["inter_op"], found["mode"]) == (1, "ORT_SEQUENTIAL")
    assert found["spinning"] == "0"


def test_a_variant_may_choose_to_spin(tmp_path: Path) -> None:
    found = _open(tmp_path, {"session.intra_op.allow_spinning": "1"})
    assert found["spinning"] == "1"


def _open(
    folder: Path, config: dict[str, str] | None = None, *, memory_mb: int | None = None
) -> dict[str, Any]:
    environ = {key: value for key, value in os.environ.items() if key != MEMORY_VARIABLE}
    if memory_mb:
        environ[MEMORY_VARIABLE] = str(memory_mb)
    graph = write_adder(folder, 1)
    done = subprocess.run(
        [sys.executable, "-c", OPEN, graph, json.dumps(config or {})],
        cwd=ROOT,
        env=environ,
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found
