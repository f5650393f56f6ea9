from __future__ import annotations

import subprocess
import sys
from importlib.util import MAGIC_NUMBER
from typing import TYPE_CHECKING

import pytest

from infra.bundling.bytecode import Interpreter, compile_tree, find_interpreter
from infra.errors import BuildError

if TYPE_CHECKING:
    from pathlib import Path

RUNNING = f"{sys.version_info.major}.{sys.version_info.minor}"
OTHER = "3.99"
# PEP 552: the second word of bytecode says what makes it stale; 1 is a hash that is not checked.
UNCHECKED_HASH = (1).to_bytes(4, "little")


def script(path: Path, says: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{says}\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def running() -> Interpreter:
    interpreter = find_interpreter(RUNNING)
    assert interpreter
    return interpreter


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is all there is to search."""
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "pyenv"))
    return tmp_path


def test_the_running_python_serves_its_own_version(running: Interpreter) -> None:
    assert running.version == RUNNING
    assert running.magic == MAGIC_NUMBER.hex()


def test_a_python_that_is_not_here_is_none(nowhere: Path) -> None:
    assert find_interpreter(OTHER) is None


def test_a_python_on_the_path_is_asked_what_it_is(nowhere: Path) -> None:
    path = script(nowhere / "bin" / f"python{OTHER}", f"echo cpython {OTHER} abcd")
    assert find_interpreter(OTHER) == Interpreter(path, OTHER, "abcd")


def test_a_shim_that_does_not_run_is_passed_over(nowhere: Path) -> None:
    script(nowhere / "bin" / f"python{OTHER}", "exit 127")
    path = script(nowhere / f"pyenv/versions/{OTHER}.1/bin/python", f"echo cpython {OTHER} abcd")
    assert find_interpreter(OTHER) == Interpreter(path, OTHER, "abcd")


@pytest.mark.parametrize("says", ["echo cpython 3.98 ab", "echo pypy 3.99 ab", "echo", "exit 1"])
def test_what_only_calls_itself_so_is_passed_over(nowhere: Path, says: str) -> None:
    script(nowhere / "bin" / f"python{OTHER}", says)
    assert find_interpreter(OTHER) is None


@pytest.mark.parametrize("given", ["missing", "other"])
def test_a_given_one_that_is_another_is_refused(tmp_path: Path, given: str) -> None:
    path = script(tmp_path / "other", "echo cpython 3.98 ab").parent / given
    with pytest.raises(BuildError, match=rf"{given} is not CPython 3\.99"):
        find_interpreter(OTHER, path)


def test_a_given_one_is_taken(running: Interpreter) -> None:
    assert find_interpreter(RUNNING, running.path) == running


def test_bytecode_is_never_stale_and_says_nothing_of_where_it_was_made(
    tmp_path: Path, running: Interpreter
) -> None:
    module = tmp_path / "room" / "module.py"
    module.parent.mkdir()
    module.write_text("def answer():\n    return 'compiled once'\n")
    compile_tree(tmp_path, running, shown_as="/opt/python")
    [bytecode] = module.parent.glob("__pycache__/*.pyc")
    assert bytecode.name == f"module.{sys.implementation.cache_tag}.pyc"
    content = bytecode.read_bytes()
    assert content[:8] == MAGIC_NUMBER + UNCHECKED_HASH
    assert b"/opt/python/room/module.py" in content
    assert str(tmp_path).encode() not in content
    module.write_text("raise RuntimeError('compiled anew')\n")
    answer = subprocess.check_output(
        [running.path, "-B", "-c", "import room.module; print(room.module.answer())"],
        cwd=tmp_path,
        text=True,
    )
    assert answer == "compiled once\n"


def test_the_same_modules_are_the_same_bytecode(tmp_path: Path, running: Interpreter) -> None:
    text = "names = {'a', 'b', 'c', 'd'}\ndef has(x):\n    return x in {'p', 'q', 'r', 's'}\n"
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "module.py").write_text(text)
        compile_tree(tmp_path / name, running, shown_as="/var/task")
    first, second = (
        next((tmp_path / name).glob("__pycache__/*.pyc")).read_bytes()
        for name in ("first", "second")
    )
    assert first == second


def test_a_module_that_does_not_compile_is_one_clear_line(
    tmp_path: Path, running: Interpreter
) -> None:
    (tmp_path / "module.py").write_text("def broken(:\n")
    with pytest.raises(BuildError, match=r"cannot compile .*: SyntaxError: ") as refused:
        compile_tree(tmp_path, running, shown_as="/var/task")
    assert "\n" not in str(refused.value)
