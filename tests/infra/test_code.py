from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from infra.bundling.bytecode import find_interpreter
from infra.bundling.function_code import READER_ROOMS, REPOSITORY, WRITER_ROOMS, gather_code
from infra.errors import BuildError

RUNNING = f"{sys.version_info.major}.{sys.version_info.minor}"


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    for room in ("one", "two"):
        (tmp_path / "repository" / room / "__pycache__").mkdir(parents=True)
        (tmp_path / "repository" / room / "__init__.py").write_text("")
        (tmp_path / "repository" / room / "module.py").write_text(f"room = {room!r}\n")
        (tmp_path / "repository" / room / "notes.md").write_text("not a module\n")
        (tmp_path / "repository" / room / "__pycache__" / "module.cpython-27.pyc").touch()
    return tmp_path / "repository"


def test_modules_and_their_data_files_are_taken_and_nothing_else(
    tmp_path: Path, repository: Path
) -> None:
    (repository / "one" / "page.html").write_text("<p>")
    (repository / "one" / "document.json").write_text("{}")
    (repository / "one" / "pins.txt").write_text("a==1")
    built = gather_code(("one",), tmp_path / "cache", None, repository)
    names = ("__init__.py", "document.json", "module.py", "page.html", "pins.txt")
    assert files(built.folder) == {f"one/{name}" for name in names}
    assert built.size_bytes == len("room = 'one'\n{}<p>a==1")


def test_a_changed_page_is_other_code(tmp_path: Path, repository: Path) -> None:
    made = set()
    for text in ("<p>", "<b>"):
        (repository / "one" / "page.html").write_text(text)
        made.add(gather_code(("one",), tmp_path / "cache", None, repository).folder)
    assert len(made) == 2


def test_bytecode_is_the_targets_alone(tmp_path: Path, repository: Path) -> None:
    built = gather_code(("two",), tmp_path / "cache", find_interpreter(RUNNING), repository)
    compiled = {path for path in files(built.folder) if path.endswith(".pyc")}
    tag = sys.implementation.cache_tag
    assert compiled == {f"two/__pycache__/{name}.{tag}.pyc" for name in ("__init__", "module")}


def test_the_same_code_is_gathered_once_and_a_changed_module_is_other_code(
    tmp_path: Path, repository: Path
) -> None:
    cache, interpreter = tmp_path / "cache", find_interpreter(RUNNING)
    first = gather_code(("one",), cache, None, repository)
    assert gather_code(("one",), cache, None, repository) == first
    (repository / "two" / "module.py").write_text("room = 2\n")
    assert gather_code(("one",), cache, None, repository) == first
    (repository / "one" / "module.py").write_text("room = 1\n")
    changed = gather_code(("one",), cache, None, repository)
    compiled = gather_code(("one",), cache, interpreter, repository)
    assert len({first.folder, changed.folder, compiled.folder}) == 3
    assert (changed.folder / "one" / "module.py").read_text() == "room = 1\n"


def test_a_room_that_is_not_there_is_named(tmp_path: Path, repository: Path) -> None:
    with pytest.raises(BuildError, match=r"repository/three is no room"):
        gather_code(("one", "three"), tmp_path / "cache", None, repository)


@pytest.mark.parametrize(
    ("rooms", "module"),
    [
        (READER_ROOMS, "inference.http.inference_routes"),
        (READER_ROOMS, "inference.batch.handler"),
        (WRITER_ROOMS, "model_sync.publishing.publish"),
    ],
)
def test_what_is_gathered_needs_no_room_that_is_not(
    tmp_path: Path, rooms: tuple[str, ...], module: str
) -> None:
    """Nothing of the repository is on the path: only what was gathered, and the packages."""
    built = gather_code(rooms, tmp_path, None)
    done = subprocess.run(
        [sys.executable, "-B", "-c", f"import {module}, sys; print({module}.__file__)"],
        cwd=built.folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert Path(done.stdout.strip()).is_relative_to(built.folder)
    assert not any((built.folder / name).exists() for name in ("tests", "models", "bench"))
    assert {each.name for each in built.folder.iterdir() if each.is_dir()} == set(rooms)
    assert REPOSITORY not in built.folder.parents


def test_the_functions_code_has_no_fleet_of_this_machine_in_it(tmp_path: Path) -> None:
    built = gather_code(READER_ROOMS, tmp_path / "cache", None)
    assert {"inference/predict_function.py", "inference/http/openapi.json"} <= files(built.folder)
    assert not [
        path
        for path in files(built.folder)
        if path.startswith(("inference/cli/", "inference/local/"))
    ]
