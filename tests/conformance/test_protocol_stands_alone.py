"""The protocol's suite is of use to others: copied into an empty folder it runs, and tells."""

from __future__ import annotations

import ast
import json
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from tests.conformance.protocol.rules import ALL
from tests.conformance.protocol.summary import FAILED, NOT_OFFERED, PASSED
from tests.conformance.wrong.of_inferences import MUTATIONS
from tests.conformance.wrong.server import wrong_server
from tests.support.commands import environ
from tests.support.waiting import DEADLINE_S

if TYPE_CHECKING:
    from collections.abc import Sequence

SUITE = Path(__file__).parent / "protocol"
MAY_IMPORT = {*sys.stdlib_module_names, "pytest", "httpx", "numpy"}


class Run(NamedTuple):
    code: int
    out: str
    outcomes: dict[str, str]
    counts: dict[str, int]


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("elsewhere") / "oip"
    shutil.copytree(SUITE, folder, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def run(copy: Path, arguments: Sequence[str]) -> Run:
    results = copy.parent / "results.json"
    options = ["-c", str(copy / "pytest.ini"), str(copy), "--results", str(results)]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, *arguments],
        cwd=copy.parent,
        # No plugin but its own: what else is installed here takes a second to import.
        env=environ({"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}),
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    found: dict[str, Any] = json.loads(results.read_text()) if results.exists() else {}
    outcomes = {each["id"]: each["outcome"] for each in found.get("requirements", ())}
    return Run(done.returncode, done.stdout, outcomes, found.get("counts", {}))


def test_it_imports_nothing_of_this_project() -> None:
    for path in SUITE.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.level == 0:
                names = [node.module or ""]
            assert {name.partition(".")[0] for name in names} <= MAY_IMPORT, path.name


def test_an_address_is_all_that_it_needs(copy: Path, base_url: str) -> None:
    found = run(copy, ["--base-url", base_url])
    assert found.code == 0, found.out
    assert found.outcomes.keys() == ALL.keys()
    # No specification of the protocol has labels: only a description says that a server has them.
    left = {name for name, outcome in found.outcomes.items() if outcome == NOT_OFFERED}
    assert left == {"labels.infer", "labels.metadata", "labels.unknown"}
    assert found.counts == {PASSED: len(ALL) - 3, FAILED: 0, NOT_OFFERED: 3}
    assert f"{'extension':<10}{len(ALL) - 3 - _of('MUST', 'SHOULD'):>13}{0:>13}{3:>13}" in found.out


def test_that_nothing_answers_at_the_address_is_said_once(copy: Path) -> None:
    with socket.socket() as closed:  # bound and not listening: no other process gets the port
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
        found = run(copy, ["--base-url", url, "--results", str(copy.parent / "none.json")])
    assert found.code == pytest.ExitCode.USAGE_ERROR
    assert found.out.count(f"no server answers at {url}") == 1
    assert "FAILED" not in found.out


def test_a_description_says_what_a_server_does_not(copy: Path, base_url: str) -> None:
    description = copy.parent / "server.toml"
    description.write_text('models = ["adder"]\n[labels]\nadder = "latest"\n')
    found = run(copy, ["--base-url", base_url, "--describe", str(description), "-k", "labels"])
    assert found.code == 0, found.out
    assert set(found.outcomes.values()) == {NOT_OFFERED}
    description.write_text('extensions = ["labels"]\n' + description.read_text())
    found = run(copy, ["--base-url", base_url, "--describe", str(description), "-k", "labels"])
    assert set(found.outcomes.values()) == {PASSED}


def test_what_is_missing_fails_where_everything_is_asked_for(copy: Path, base_url: str) -> None:
    arguments = ["--base-url", base_url, "--model", "adder", "--everything", "-k", "data.INT64"]
    found = run(copy, arguments)
    assert found.code == 1
    assert found.outcomes["data.INT64"] == FAILED
    assert "does not offer an identity model of INT64" in found.out


def test_what_a_wrong_server_fails_is_told_with_its_source(copy: Path, base_url: str) -> None:
    mutation = next(each for each in MUTATIONS if each.name == "drops-the-id")
    with wrong_server(base_url, {mutation.name: mutation}) as url:
        found = run(copy, ["--base-url", f"{url}/{mutation.name}", "-k", "infer.id"])
    assert found.code == 1
    assert found.outcomes["infer.id"] == FAILED
    assert "failed: MUST infer.id: the id of a request comes back" in found.out
    assert "source: Inference Request JSON Object: id" in found.out


def _of(*levels: str) -> int:
    return sum(each.level.value in levels for each in ALL.values())
