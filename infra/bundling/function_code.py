"""Gather a function's code: the packages that it runs, compiled, and nothing else.

Only modules and the data files that they read are taken: no bytecode of the Python that runs here,
no tests, no models, and no packages for a developer's machine alone (`LEFT_OUT`): the reader's
command line and local servers. As with layers, the same modules for the same Python are the same
folder in the cache.
"""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from infra.bundling.bytecode import compile_tree
from infra.bundling.cached_folder import Built, put_in_place
from infra.errors import BuildError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.bundling.bytecode import Interpreter

REPOSITORY: Final = Path(__file__).resolve().parents[2]
READER_ROOMS: Final = ("model_store", "inference")
WRITER_ROOMS: Final = (*READER_ROOMS, "model_sync")

LEFT_OUT: Final = (Path("inference", "cli"), Path("inference", "local"))

_TAKEN: Final = frozenset({".py", ".html", ".json", ".txt"})

_ON_LAMBDA: Final = "/var/task"


def gather_code(
    rooms: tuple[str, ...],
    cache: Path,
    interpreter: Interpreter | None,
    repository: Path = REPOSITORY,
) -> Built:
    """Copy the files of these rooms to a folder in the cache; raises BuildError."""
    files = {
        path: (repository / path).read_bytes()
        for room in rooms
        for path in _files(room, repository)
    }
    for room in rooms:
        if Path(room, "__init__.py") not in files:
            raise BuildError(f"{repository / room} is no room: it has no __init__.py")
    folder = cache / f"code-{_key(files, interpreter)}"
    if not folder.is_dir():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as temporary:
            made = Path(temporary) / "code"
            for path, content in files.items():
                (made / path).parent.mkdir(parents=True, exist_ok=True)
                (made / path).write_bytes(content)
            if interpreter:
                compile_tree(made, interpreter, shown_as=_ON_LAMBDA)
            put_in_place(made, folder)
    return Built.at(folder)


def _files(room: str, repository: Path) -> Iterator[Path]:
    for path in sorted((repository / room).rglob("*")):
        file = path.relative_to(repository)
        if path.suffix in _TAKEN and not any(map(file.is_relative_to, LEFT_OUT)):
            yield file


def _key(files: dict[Path, bytes], interpreter: Interpreter | None) -> str:
    digest = hashlib.sha256((interpreter.magic if interpreter else "").encode())
    for path, content in files.items():
        digest.update(f"{path.as_posix()}:{len(content)}:".encode() + content)
    return digest.hexdigest()[:16]
