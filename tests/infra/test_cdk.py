from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from infra import cdk

if TYPE_CHECKING:
    from pathlib import Path


def test_a_verb_must_be_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cdk.main(["--stage", "dev"])
    assert ended.value.code == 2
    assert "name a verb of CDK's: deploy, diff, destroy" in capsys.readouterr().err


def test_a_stage_that_is_wrong_is_never_deployed(capsys: pytest.CaptureFixture[str]) -> None:
    assert cdk.main(["--stage", "nosuch", "deploy", "--require-approval", "never"]) == 1
    assert capsys.readouterr().err.startswith("error: ")


@pytest.mark.parametrize("code", [0, 3])
def test_cdks_exit_code_is_ours_and_its_node_is_first_on_the_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    node = tmp_path / "bin" / "node"
    node.parent.mkdir()
    node.write_text(f'#!/bin/sh\necho "$PATH" > {tmp_path}/path\nexit {code}\n')
    node.chmod(0o755)
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    assert cdk.run([node, "--version"]) == code
    said = (tmp_path / "path").read_text().strip()
    assert said.split(os.pathsep) == [str(node.parent), "/usr/bin", "/bin"]


def test_the_release_of_cdks_command_line_is_pinned() -> None:
    name, _, version = cdk.PACKAGE.partition("@")
    assert name == "aws-cdk"
    assert version.startswith("2.")
    assert all(part.isdecimal() for part in version.split("."))
