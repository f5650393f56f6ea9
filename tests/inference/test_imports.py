"""Import budget of a cold start: the number of modules, and names that must be absent."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from typing import Any

import pytest

from tests.support.places import ROOT

BUDGET: dict[str, Any] = tomllib.loads((ROOT / "tests/budgets.toml").read_text())["imports"]
ENTRY = "inference.predict_function"

LIST_MODULES = """
import sys
before = set(sys.modules)
import {module}
imported = sorted(set(sys.modules) - before)
import json
print(json.dumps(imported))
"""


@pytest.fixture(scope="module")
def imported() -> list[str]:
    """Return what importing the Lambda entry point imports in a fresh process."""
    done = subprocess.run(
        [sys.executable, "-c", LIST_MODULES.format(module=ENTRY)],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "STORE_PATH": "/mnt/store"},
        capture_output=True,
        text=True,
        check=True,
    )
    modules: list[str] = json.loads(done.stdout)
    assert "onnxruntime" in modules
    assert done.stderr == ""
    return modules


def test_a_cold_start_imports_no_more_modules_than_its_budget(imported: list[str]) -> None:
    budget = BUDGET[ENTRY]["modules"]
    assert len(imported) <= budget, f"{ENTRY} imports {len(imported)} modules, of {budget}"


def test_a_cold_start_imports_nothing_that_answering_does_not_need(imported: list[str]) -> None:
    never = BUDGET[ENTRY]["never"]
    found = [
        module
        for module in imported
        if any(module == name or module.startswith(f"{name}.") for name in never)
    ]
    assert found == []


def test_importing_the_entry_point_prints_nothing_and_touches_no_store() -> None:
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", "-c", "import inference.predict_function"],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "STORE_PATH": "/nowhere/at/all"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
