"""A set is compiled by a Python of the target's version, or not made at all."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from model_store.package_set import Target
from model_sync.__main__ import main
from model_sync.errors import PackagesError
from model_sync.package_sets.interpreters import interpreter_for
from tests.support.pythons import put_python, write_python
from tests.support.wheels import write_requirements, write_wheel

if TYPE_CHECKING:
    from model_store.layout import StoreLayout

HERE = Target.running()
OTHER = HERE._replace(python="3.99")
HOW_NAMED = "(--interpreter, or TARGET_INTERPRETER)"


def test_the_one_that_runs_compiles_for_its_own_version() -> None:
    assert interpreter_for(HERE) == sys.executable


def test_for_another_version_it_is_the_one_on_the_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(PackagesError) as caught:
        interpreter_for(OTHER)
    assert str(caught.value) == (
        "packages for Python 3.99 need that Python to compile them, and no python3.99 is on the "
        f"PATH: install it, or say where it is {HOW_NAMED}"
    )
    found = put_python(monkeypatch, tmp_path / "bin", "3.99")
    assert interpreter_for(OTHER) == str(found)


def test_one_that_is_named_is_asked_what_it_is(tmp_path: Path) -> None:
    named = write_python(tmp_path / "some-python", "3.99")
    assert interpreter_for(OTHER, named) == str(named)
    with pytest.raises(PackagesError) as caught:
        interpreter_for(HERE, named)
    assert str(caught.value) == (
        f"{named} is Python 3.99, and the packages are for Python {HERE.python}: name one of that "
        f"version {HOW_NAMED}"
    )
    other = write_python(tmp_path / "other", "3.99", implementation="pypy")
    with pytest.raises(PackagesError, match=f"^{other} is pypy 3.99, and the packages are for "):
        interpreter_for(OTHER, other)
    assert interpreter_for(HERE, Path(sys.executable)) == sys.executable


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "there is no {} that can be run"),
        ("#!/bin/sh\necho one; printf 'two\\nthree' >&2; exit 1\n", "{} is no Python: two"),
        ("#!/bin/sh\n", "{} is no Python: it does not say its version"),
        ("#!/nowhere\n", "{} cannot be run: [Errno 2] No such file or directory: '{}'"),
    ],
)
def test_what_is_no_python_is_refused_in_one_line(
    tmp_path: Path, text: str | None, said: str
) -> None:
    named = tmp_path / "python"
    if text is not None:
        named.write_text(text)
        named.chmod(0o755)
    with pytest.raises(PackagesError) as caught:
        interpreter_for(OTHER, named)
    assert str(caught.value) == f"{said.format(named, named)} {HOW_NAMED}"


def test_target_and_interpreter_are_options_or_settings(
    layout: StoreLayout,
    wheels: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    pins = write_requirements(tmp_path / "pins.txt", write_wheel(wheels, "alpha"))
    named = write_python(tmp_path / "python", "3.99")

    def publish(*options: str, exit_code: int = 0) -> str:
        arguments = ["packages", "publish", str(pins), "--store", str(layout.root), "--quiet"]
        assert main([*arguments, *options]) == exit_code
        out, err = capsys.readouterr()
        return err if exit_code else out

    by_options = publish("--python", "3.99", "--interpreter", str(named))
    assert by_options.startswith("published sha256:")
    monkeypatch.setenv("TARGET_PYTHON", "3.99")
    monkeypatch.setenv("TARGET_INTERPRETER", str(named))
    by_settings = publish()
    assert by_settings.startswith("unchanged: sha256:")
    assert by_settings.split()[1] == by_options.split()[1]
    assert publish("--python", HERE.python, exit_code=1).startswith(
        f"error: {named} is Python 3.99, and the packages are for Python {HERE.python}: "
    )
    here = publish("--python", HERE.python, "--interpreter", sys.executable)
    assert here.split()[1] != by_options.split()[1]
    monkeypatch.setenv("TARGET_PYTHON", "3.x")
    said = "error: TARGET_PYTHON is '3.x': expected a version like 3.13\n"
    assert publish(exit_code=1) == said
    with pytest.raises(SystemExit, match=r"^2$"):
        publish("--python", "python3")
    assert "'python3' is no version: expected one like 3.13" in capsys.readouterr().err


def test_an_interpreter_of_another_version_is_refused_before_anything_is_got(
    layout: StoreLayout, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    named = write_python(tmp_path / "python", "3.98")
    missing = str(tmp_path / "pins.txt")
    where = ["--store", str(layout.root), "--python", "3.99", "--interpreter", str(named)]
    assert main(["packages", "publish", missing, *where]) == 1
    assert capsys.readouterr().err.startswith(f"error: {named} is Python 3.98, and the packages ")
