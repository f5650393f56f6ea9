"""The Lambda entry point in a process of its own, as Lambda starts it: events in, lines out."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

from tests.support.places import ROOT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path


DRIVER = """
import json, sys
events = json.load(sys.stdin)
from inference.predict_function import handler
answers = [handler(event, None) for event in events]
sys.stderr.write(json.dumps(answers))
"""


class Run(NamedTuple):
    """Output of a process on stdout, which CloudWatch would get, and its answer."""

    lines: list[dict[str, Any]]
    answers: list[dict[str, Any]]

    @property
    def metrics(self) -> list[dict[str, Any]]:
        return [line for line in self.lines if "_aws" in line]

    @property
    def calls(self) -> list[dict[str, Any]]:
        return [line for line in self.metrics if "CallDuration" in line]

    @property
    def logs(self) -> list[dict[str, Any]]:
        return [line for line in self.lines if "_aws" not in line]


def run_on_lambda(
    store: Path, events: Sequence[Mapping[str, Any]], environ: Mapping[str, str] | None = None
) -> Run:
    """Answer events in a fresh process; every line on its stdout must be a JSON object."""
    done = subprocess.run(
        [sys.executable, "-c", DRIVER],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "STORE_PATH": str(store)} | dict(environ or {}),
        input=json.dumps(list(events)),
        capture_output=True,
        text=True,
        check=True,
    )
    return Run([json.loads(line) for line in done.stdout.splitlines()], json.loads(done.stderr))
