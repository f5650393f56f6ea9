from __future__ import annotations

import json
import subprocess
import sys
from importlib.metadata import distributions
from typing import TYPE_CHECKING, Any

import pytest

from infra.emulated import bootstrap as module
from infra.emulated.bootstrap import bootstrap, gather_client
from infra.errors import EmulatorError

if TYPE_CHECKING:
    from pathlib import Path

STAND_IN = """\
import importlib.util, json, os, sys

found = [name for name in ("mine", "layered", "numpy", "pytest") if importlib.util.find_spec(name)]
print(json.dumps({"arguments": sys.argv[1:], "found": found, "path": sys.path}))
"""


def run(folder: Path) -> dict[str, Any]:
    """Run a bootstrap, with a stand-in for the client that says what it finds."""
    for name, text in (
        ("code/mine.py", ""),
        ("a layer/python/layered.py", ""),
        ("the client/awslambdaric/__main__.py", STAND_IN),
    ):
        (folder / name).parent.mkdir(parents=True)
        (folder / name).write_text(text)
    (folder / "code" / "bootstrap").write_text(bootstrap(folder / "the client"))
    (folder / "code" / "bootstrap").chmod(0o755)
    done = subprocess.run(
        [folder / "code" / "bootstrap"],
        cwd=folder / "code",
        env={
            "LAMBDA_TASK_ROOT": str(folder / "code"),
            "PYTHONPATH": str(folder / "a layer" / "python"),
            "_HANDLER": "mine.handler",
        },
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    said: dict[str, Any] = json.loads(done.stdout)
    return said


def test_a_function_finds_its_code_its_layers_and_not_what_this_environment_has(
    tmp_path: Path,
) -> None:
    said = run(tmp_path)
    assert said["arguments"] == ["mine.handler"]
    assert said["found"] == ["mine", "layered"]
    assert said["path"][:3] == [
        str(tmp_path / name) for name in ("code", "a layer/python", "the client")
    ]


def test_nothing_is_written_beside_what_a_function_imports(tmp_path: Path) -> None:
    run(tmp_path)
    assert not list(tmp_path.rglob("__pycache__"))


def test_the_clients_folder_has_the_client_and_what_it_needs_alone(tmp_path: Path) -> None:
    gather_client(tmp_path / "client")
    found = {each.name for each in distributions(path=[str(tmp_path / "client")])}
    assert found == {"awslambdaric", "simplejson", "snapshot-restore-py"}
    done = subprocess.run(
        [sys.executable, "-S", "-P", "-B", "-c", "import awslambdaric.bootstrap, runtime_client"],
        env={"PYTHONPATH": str(tmp_path / "client")},
        check=False,
    )
    assert done.returncode == 0


def test_a_client_that_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CLIENT", "no-such-client")
    with pytest.raises(EmulatorError, match=r"^no-such-client is missing: install requirements/"):
        gather_client(tmp_path / "client")
