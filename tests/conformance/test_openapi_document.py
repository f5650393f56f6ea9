"""Answers of the server match its OpenAPI document, according to Schemathesis.

Schemathesis's own command runs over real HTTP, and calls each address with requests that the
document allows and forbids. The seed is fixed, so the calls are the same each time.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

import httpx
import pytest

from tests.conformance.narrowing import with_names, with_one_signature

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ABOUT_ANSWERS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "unsupported_method",
    "allow_header_conformance",
)
ABOUT_REQUESTS = (*ABOUT_ANSWERS, "positive_data_acceptance", "negative_data_rejection")


PHASES = ("examples", "coverage", "fuzzing")


class Run(NamedTuple):
    """A run of Schemathesis: the narrowed document, the checks, the calls per operation."""

    narrowed: Callable[[dict[str, Any]], dict[str, Any]]
    checks: tuple[str, ...]
    examples: int
    phases: tuple[str, ...] = PHASES


# Each boundary of each parameter of every address takes as long again: the slow test has them.
RUNS = {
    "every address": Run(with_names, ABOUT_ANSWERS, 3, ("fuzzing",)),
    "what one model takes": Run(with_one_signature, ABOUT_REQUESTS, 8),
}
MANY = {"slow": 10, "exhaustive": 30}
"""How many times as many calls the tests that are marked so make."""


def hold_together(base_url: str, run: Run, folder: Path) -> None:
    """Call as the document has it, and otherwise; fails with what Schemathesis says."""
    document = run.narrowed(httpx.get(f"{base_url}/openapi.json").json())
    (folder / "openapi.json").write_text(json.dumps(document))
    command = [sys.executable, "-m", "schemathesis.cli", "run", "openapi.json", "--no-color"]
    done = subprocess.run(
        [
            *command,
            *("--url", base_url),
            *("--checks", ",".join(run.checks)),
            *("--phases", ",".join(run.phases)),
            *("--max-examples", str(run.examples)),
            *("--seed", "1", "--generation-deterministic"),
            *("--suppress-health-check", "all", "--warnings", "off"),
        ],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout[-20_000:]}\n{done.stderr}"
    assert "Test cases:" in done.stdout


@pytest.mark.parametrize("run", RUNS.values(), ids=RUNS)
def test_answers_are_as_the_document_says(base_url: str, run: Run, tmp_path: Path) -> None:
    hold_together(base_url, run, tmp_path)


@pytest.mark.parametrize(
    "times",
    [
        pytest.param(times, marks=getattr(pytest.mark, name), id=name)
        for name, times in MANY.items()
    ],
)
@pytest.mark.parametrize("run", RUNS.values(), ids=RUNS)
def test_answers_to_many_calls_are_as_the_document_says(
    base_url: str, run: Run, tmp_path: Path, times: int
) -> None:
    many = run._replace(examples=run.examples * times, phases=PHASES)
    hold_together(base_url, many, tmp_path)


def test_an_answer_that_the_document_does_not_have_is_found(base_url: str, tmp_path: Path) -> None:
    def wrong(document: dict[str, Any]) -> dict[str, Any]:
        server = document["components"]["schemas"]["Server"]
        server["properties"]["version"] = {"type": "integer"}
        return document | {"paths": {"/v2": document["paths"]["/v2"]}}

    with pytest.raises(AssertionError, match="Response violates schema"):
        hold_together(base_url, Run(wrong, ABOUT_ANSWERS, 1, ("fuzzing",)), tmp_path)
