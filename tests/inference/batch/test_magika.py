"""The shipped model over real files: this repository's own, and some that were made.

Slow, as publishing the model takes seconds. Its answers are tested in tests/models, and batches
in this folder, with models of a few bytes.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from model_sync.progress import Silent
from model_sync.publishing.publish import publish
from tests.inference.batch.models import read_lines
from tests.support.places import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.slow

FILES = {
    "README.md": "markdown",
    "Makefile": "makefile",
    "pyproject.toml": "toml",
    "inference/batch/run.py": "python",
    "models/magika/golden/png/request.png": "png",
    "models/magika/golden/zip/request.zip": "zip",
    "models/magika/golden/html/request.html": "html",
    "models/magika/golden/empty/request.bin": "empty",
}


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], bytes]:
    folder = tmp_path_factory.mktemp("magika")
    publish(ROOT / "models" / "magika", folder / "store", progress=Silent())
    for name in FILES:
        (folder / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, folder / "in" / name)
    lines = [b'{"a": 1}', b"not JSON at all", b'["a line that is long enough for the model"]']
    (folder / "in" / "lines.jsonl").write_bytes(b"\n".join(lines))
    done = subprocess.run(
        [sys.executable, "-m", "inference", "batch", "magika", "in", "out", "--store", "store"],
        cwd=folder,
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1  # for the line that is not JSON
    assert f"{len(FILES) + 2} of {len(FILES) + 3} records answered" in done.stdout

    def read(name: str) -> bytes:
        return (folder / "out" / "magika" / "1" / name).read_bytes()

    return read


def test_every_file_is_what_it_is(answers: Callable[[str], bytes]) -> None:
    found = {name: json.loads(answers(f"{name}.out"))["label"] for name in FILES}
    assert found == FILES


def test_of_json_lines_each_line_is_looked_at(answers: Callable[[str], bytes]) -> None:
    found: list[Any] = read_lines(answers("lines.jsonl.out"))
    assert [(line["record"], line["answer"]["is_text"]) for line in found] == [(1, True), (3, True)]
    (error,) = read_lines(answers("lines.jsonl.errors.jsonl"))
    assert error["record"] == 2
