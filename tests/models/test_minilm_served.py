"""minilm as its README serves it, and in the real Lambda runtime; tokenizers from its set."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from bench.events import http_event
from inference.local.fleet.environment import LambdaEnvironment
from tests.models.conftest import commands_of
from tests.support.make_serve import DEADLINE_S, serving
from tests.support.places import ROOT
from tests.support.repository_copy import outer_environment

if TYPE_CHECKING:
    from collections.abc import Iterator

    from model_store.layout import StoreLayout

pytestmark = pytest.mark.slow

REFERENCE = ROOT / "models" / "minilm" / "reference"


def maps_of_children(process: int) -> str:
    """Return the files that a process and its living children map."""
    found = []
    waiting = [process]
    while waiting:
        folder = Path("/proc") / str(waiting.pop())
        try:
            found.append((folder / "maps").read_text())
            children = (folder / "task" / folder.name / "children").read_text()
        except OSError:
            continue
        waiting += map(int, children.split())
    return "".join(found)


@pytest.fixture
def served(minilm_store: StoreLayout) -> Iterator[tuple[str, int]]:
    """The server of the README, on a free port and over the tests' store; and its process."""
    command = commands_of("minilm")[1]
    assert command.startswith("make serve PORT=8080")
    command = f"{command} STORE={shlex.quote(str(minilm_store.root))}"
    with serving(command, ROOT, outer_environment()) as server:
        yield server


def test_it_answers_as_its_readme_says(served: tuple[str, int], minilm_store: StoreLayout) -> None:
    url, process = served
    command = commands_of("minilm")[2]
    assert command.startswith("curl ")
    done = subprocess.run(
        shlex.split(command.replace("http://127.0.0.1:8080", url)),
        stdout=subprocess.PIPE,
        check=True,
        timeout=DEADLINE_S,
    )
    vectors = np.array(json.loads(done.stdout))
    assert vectors.shape == (2, 384)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert f"{minilm_store.packages}/" in maps_of_children(process)


@pytest.mark.skipif(sys.platform != "linux", reason="the Lambda runtime exists on Linux only")
def test_the_real_lambda_runtime_answers_with_the_tokenizer_of_its_package_set(
    minilm_store: StoreLayout,
) -> None:
    elsewhere = [sys.executable, "-c", "import tokenizers"]
    assert subprocess.run(elsewhere, stderr=subprocess.DEVNULL, check=False).returncode
    sentences: list[str] = json.loads((REFERENCE / "sentences.json").read_bytes())[:4]
    environ = {"STORE_PATH": str(minilm_store.root), "DEFAULT_MODEL": "minilm"}
    with LambdaEnvironment(
        "inference.predict_function.handler", environ=environ, cwd=ROOT
    ) as environment:
        answer: dict[str, Any] = environment.invoke(
            http_event("/predict", json.dumps(sentences).encode())
        )
        logs = environment.logs()
    assert answer["statusCode"] == 200, (answer, logs)
    vectors = np.load(REFERENCE / "vectors.npy")[:4]
    np.testing.assert_allclose(json.loads(answer["body"]), vectors, rtol=0, atol=1e-5)
    assert "PlainImports" not in logs
