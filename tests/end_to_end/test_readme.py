"""Every command in the README, run as a reader would, in a copy of the repository."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.support.make_serve import DEADLINE_S, serving
from tests.support.models import write_adder
from tests.support.packaged_models import MODEL, write_greeter
from tests.support.places import ROOT
from tests.support.repository_copy import copy_repository, outer_environment
from tests.support.wheels import registry_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def readme_commands() -> list[str]:
    blocks = re.findall(r"```sh\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if line.strip()]


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = copy_repository(tmp_path_factory.mktemp("readme") / "coldpress")
    write_adder(folder / "path" / "to" / "my-model", 1)
    emulator = ROOT / ".cache" / "emulator"  # fetched once for both
    emulator.mkdir(parents=True, exist_ok=True)
    (folder / ".cache").mkdir()
    (folder / ".cache" / "emulator").symlink_to(emulator)
    return folder


@pytest.fixture(scope="module")
def environ() -> dict[str, str]:
    return outer_environment()


@pytest.fixture(scope="module")
def published_copy(copy: Path, environ: dict[str, str]) -> Path:
    run("make sync-model MODEL=magika", copy, environ)
    return copy


SERVES = ["make serve PORT=8080", "make serve ENVIRONMENTS=4 RUNTIME=lambda PORT=8080"]


@pytest.fixture(scope="module", params=SERVES)
def served(
    published_copy: Path, environ: dict[str, str], request: pytest.FixtureRequest
) -> Iterator[str]:
    assert [each for each in readme_commands() if each.startswith("make serve")] == SERVES
    with serving(request.param, published_copy, environ) as (url, _):
        yield url


def run(command: str, folder: Path, environ: dict[str, str]) -> str:
    done = subprocess.run(
        shlex.split(command),
        cwd=folder,
        env=environ,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


def fetch(command: str, url: str, folder: Path) -> httpx.Response:
    """Do what a curl command says; curl itself may not be there."""
    words = [word for word in shlex.split(command)[1:] if word != "-s"]
    address = words.pop().replace("http://127.0.0.1:8080", url)
    if not words:
        return httpx.get(address, timeout=DEADLINE_S)
    flag, value = words
    assert flag == "--data-binary"
    return httpx.post(address, content=(folder / value[1:]).read_bytes(), timeout=DEADLINE_S)


def test_every_command_in_the_readme_is_run_here() -> None:
    others = [
        command for command in readme_commands() if not command.startswith(("make serve", "curl "))
    ]
    assert others == [
        "make demo",
        "make cloud-demo",  # in test_cloud_demo.py
        "make test",  # what runs this
        "make sync-model MODEL=magika",
        "make models",
        "make predict MODEL=magika FILE=README.md",
        "make history MODEL=magika",
        ".venv/bin/python -m model_sync publish path/to/my-model --store .store",
        "make synth",  # in .ci/run, and in tests/infra/test_synth_for_real.py
    ]
    ci = (ROOT / ".ci" / "run").read_text("utf-8")
    assert "\nmake test\n" in ci
    assert "\nmake synth\n" in ci


def test_the_demo_runs_twice_on_one_store(copy: Path, environ: dict[str, str]) -> None:
    for _ in range(2):
        out = run("make demo", copy, environ)
        assert "0 failed" in out
        assert "Traceback" not in out
        assert re.search(r"'let x = 1;' +txt .* javascript ", out)


def test_the_tour_publishes_lists_and_predicts(
    published_copy: Path, environ: dict[str, str]
) -> None:
    assert re.search(r"magika +\d+ +latest +available", run("make models", published_copy, environ))
    assert re.search(
        r" publish +latest=\d", run("make history MODEL=magika", published_copy, environ)
    )
    out = run("make predict MODEL=magika FILE=README.md", published_copy, environ)
    assert '"label": "markdown"' in out


def test_packages_are_published_alone_as_with_their_model(
    copy: Path, environ: dict[str, str], tmp_path: Path
) -> None:
    wheels = tmp_path / "wheels"
    write_greeter(copy / "models" / MODEL, wheels, "greetings")
    registry = registry_of(wheels)
    command = f"make sync-packages MODEL={MODEL} STORE={tmp_path / 'store'}"
    alone = run(command, copy, {**environ, **registry})
    assert alone.startswith("published sha256:")
    with_it = run(command.replace("-packages", "-model"), copy, {**environ, **registry})
    assert with_it.startswith(f"published {MODEL} version 1")
    again = run(command, copy, {**environ, **registry})
    assert again.split()[:2] == ["unchanged:", alone.split()[1]]


def test_a_folder_with_one_model_publishes(published_copy: Path, environ: dict[str, str]) -> None:
    command = ".venv/bin/python -m model_sync publish path/to/my-model --store .store"
    assert run(command, published_copy, environ) == "published my-model version 1 (latest)\n"


def test_the_calls_of_the_tour_are_answered_as_it_says(served: str, published_copy: Path) -> None:
    commands = [command for command in readme_commands() if command.startswith("curl ")]
    assert len(commands) == 4
    for command in commands:
        assert fetch(command, served, published_copy).status_code == 200, command
    page = httpx.get(served)
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    predicted = fetch(commands[0], served, published_copy)
    shown = re.search(r"```json\n(.*?)\n```", (ROOT / "README.md").read_text("utf-8"))
    assert shown
    answer, example = predicted.json(), httpx.Response(200, text=shown[1]).json()
    assert answer.pop("score") == pytest.approx(example.pop("score"), abs=1e-5)
    assert answer == example
    assert int(predicted.headers["Coldpress-Version"]) >= 1


def test_tritons_client_is_answered_as_it_says(served: str) -> None:
    [code] = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), re.DOTALL)
    code = code.replace("127.0.0.1:8080", served.removeprefix("http://"))
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    assert re.fullmatch(r"\d+ \(1, 214\)\n", done.stdout), done.stderr


def test_what_installing_says_is_not_a_commands_output(copy: Path) -> None:
    said = re.findall(r"^\t@echo \"installing .*", (copy / "Makefile").read_text(), re.MULTILINE)
    assert len(said) > 1
    assert [line for line in said if not line.endswith(" >&2")] == []


def test_make_help_lists_every_verb(copy: Path, environ: dict[str, str]) -> None:
    listed = set(re.findall(r"^  make (\S+)", run("make help", copy, environ), re.MULTILINE))
    declared = set(re.findall(r"^\.PHONY: (\S+)$", (copy / "Makefile").read_text(), re.MULTILINE))
    assert listed == declared
