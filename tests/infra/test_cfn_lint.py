from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

# CDK names a function's role among what it depends on, which a reference to it says already.
IGNORED = "W3005"


@pytest.fixture(scope="module")
def found(
    dev_template: Path, prod_template: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, list[str]]:
    """Findings of cfn-lint in each stage's template, and in a broken one."""
    broken = tmp_path_factory.mktemp("broken") / "broken.template.json"
    text = dev_template.read_text("utf-8")
    broken.write_text(text.replace('"ThrottlingRateLimit"', '"ThrottlingRat"'), "utf-8")
    templates = {"dev": dev_template, "prod": prod_template, "broken": broken}
    done = subprocess.run(
        [
            Path(sys.executable).parent / "cfn-lint",  # it cannot be run as a module
            *("--format", "json", "--ignore-checks", IGNORED, "--template"),
            *templates.values(),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert not done.stderr
    matches = json.loads(done.stdout)
    return {
        name: [each["Message"] for each in matches if each["Filename"] == str(path)]
        for name, path in templates.items()
    }


def test_cfn_lint_finds_nothing(found: dict[str, list[str]]) -> None:
    assert found["dev"] == []
    assert found["prod"] == []


def test_cfn_lint_would_find_something(found: dict[str, list[str]]) -> None:
    [message] = found["broken"]
    assert "ThrottlingRat" in message
