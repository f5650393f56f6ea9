"""Make the index of a package set's modules, and the file with all of their code.

1. Scan every folder of `site-packages` and decide what an import finds under each name.
2. Compile each source with the target's own Python, in separate processes, because bytecode depends
   on the Python version, and untrusted source should not be compiled in the publisher's process.
3. Add the metadata of distributions that is read at import: METADATA, entry points.

A file that cannot be compiled (a template, a source for Python 2) has no code in the index;
importing it raises Python's own error for the source.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import TYPE_CHECKING, Final

from model_store.module_index import (
    CODE,
    INDEX,
    INIT,
    PIECE_DIGEST_DIGITS,
    Distribution,
    IndexedModule,
    Kind,
    Piece,
    render_index,
)
from model_sync.errors import PackagesError
from model_sync.package_sets.shared_libraries import Libraries
from model_sync.text import pluralize

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from model_store.package_set import Target
    from model_sync.progress import Progress

_SCRIPT: Final = Path(__file__).with_name("compile_modules.py")
_TEXTS: Final = ("METADATA", "entry_points.txt", "top_level.txt")
_DIST_INFO: Final = ".dist-info"
_EXTENSION: Final = ".so"
_SOURCE: Final = ".py"
_SOURCELESS: Final = ".pyc"
_DEADLINE_S: Final = 800


def write_index(
    folder: Path, site: Path, target: Target, interpreter: str, progress: Progress
) -> None:
    """Write modules.idx and modules.bin of `site` into `folder`; the caller makes them durable.

    `interpreter`: a Python of the target's version (interpreters.py).

    Raises PackagesError; OSError if the file system is full.
    """
    scanned = sorted(_scan(site, _suffixes(target)))
    # A package is found twice, in its parent folder and as `__init__` in its own: use a set.
    sources = sorted(
        {
            _joined(path, found.file(name))
            for path, names in scanned
            for name, found in names.items()
            if found.suffix == _SOURCE
        }
    )
    progress.step(f"compiling {pluralize(len(sources), 'module')}")
    code = folder / CODE
    magic, pieces = _compile(site, sources, code, interpreter)
    compiled = dict(zip(sources, pieces, strict=True))
    libraries = Libraries(site)
    folders = {
        path: {
            name: _with_code(found, _joined(path, found.file(name)), compiled, libraries)
            for name, found in names.items()
        }
        for path, names in scanned
    }
    distributions = _append_texts(site, code)
    (folder / INDEX).write_bytes(render_index(magic, folders, distributions))


def _joined(folder: str, file: str) -> str:
    return f"{folder}/{file}" if folder else file


def _with_code(
    found: IndexedModule, path: str, compiled: Mapping[str, Piece | None], libraries: Libraries
) -> IndexedModule:
    if found.suffix.endswith(_EXTENSION):
        return found._replace(libraries=libraries.of(path))
    return found._replace(code=compiled.get(path))


def _suffixes(target: Target) -> tuple[str, ...]:
    """Return the suffixes of module files, in the order in which Python prefers them."""
    tag = f".cpython-{target.python.replace('.', '')}-{target.machine}-linux-gnu.so"
    return (tag, ".abi3.so", ".so", _SOURCE, _SOURCELESS)


def _scan(site: Path, suffixes: Sequence[str]) -> Iterator[tuple[str, dict[str, IndexedModule]]]:
    """Yield every folder with the names that can be imported from it."""
    for path, folders, files in os.walk(site):
        relative = Path(path).relative_to(site).as_posix()
        if relative.endswith(_DIST_INFO):
            folders.clear()
            continue
        names: dict[str, IndexedModule] = {}
        for folder in sorted(folders):
            if "." in folder:
                continue  # not a valid module name
            inside = set(os.listdir(os.path.join(path, folder)))  # noqa: PTH118, PTH208 - many
            suffix = next((each for each in suffixes if INIT + each in inside), None)
            kind = Kind.NAMESPACE if suffix is None else Kind.PACKAGE
            names[folder] = IndexedModule(kind, suffix or "")
        # A file precedes a folder that is not a package, and suffixes precede in their order.
        present = set(files)
        for file in sorted(files):
            for suffix in suffixes:
                name = file.removesuffix(suffix)
                if name != file and "." not in name and name:
                    best = next(each for each in suffixes if name + each in present)
                    if names.get(name, IndexedModule(Kind.NAMESPACE, "")).kind is Kind.NAMESPACE:
                        names[name] = IndexedModule(Kind.MODULE, best)
                    break
        yield ("" if relative == "." else relative), names


def _compile(
    site: Path, sources: list[str], code: Path, interpreter: str
) -> tuple[str, list[Piece | None]]:
    """Compile sources into one file, with one process per processor."""
    n_parts = max(1, min(os.cpu_count() or 1, len(sources) // 64))
    bounds = [len(sources) * part // n_parts for part in range(n_parts + 1)]
    parts = [code.with_name(f"{code.name}.{part}") for part in range(n_parts)]
    names = [sources[bounds[part] : bounds[part + 1]] for part in range(n_parts)]
    processes = [
        _Compiler(interpreter, site, part, chosen)
        for part, chosen in zip(parts, names, strict=True)
    ]
    with ThreadPoolExecutor(n_parts) as pool:
        try:
            # Each process waits for its paths on standard input.
            results = [pool.submit(process.finish) for process in processes]
            for first in as_completed(results):
                first.result()
            outputs = [each.result() for each in results]
        finally:
            for process in processes:
                process.kill()
    pieces: list[Piece | None] = []
    with code.open("wb") as whole:
        for path, (_, found) in zip(parts, outputs, strict=True):
            at = whole.tell()
            pieces += [each and each._replace(offset=at + each.offset) for each in found]
            with path.open("rb") as stream:
                shutil.copyfileobj(stream, whole)
            path.unlink()
    return outputs[0][0], pieces


class _Compiler:
    """One compiling process."""

    def __init__(self, interpreter: str, site: Path, output: Path, sources: list[str]) -> None:
        self._sources = sources
        self._process = subprocess.Popen(
            [interpreter, "-I", "-S", str(_SCRIPT), str(site), str(output)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def finish(self) -> tuple[str, list[Piece | None]]:
        """Send the paths and wait; return the bytecode's magic number and each source's piece.

        Raises the OSError that the process reports; PackagesError if it fails or exceeds its time.
        """
        paths = "".join(f"{path}\n" for path in self._sources).encode()
        try:
            output, errors = self._process.communicate(paths, timeout=_DEADLINE_S)
        except subprocess.TimeoutExpired:
            with self._process:  # leaving the context closes its pipes
                self._process.kill()
            raise PackagesError(
                f"the packages cannot be compiled: {pluralize(len(self._sources), 'module')} "
                f"took more than {_DEADLINE_S} s: publish them from a machine with more processors"
            ) from None
        if self._process.returncode:
            *_, last = output.splitlines() or [b""]
            if self._process.returncode == 1 and last.startswith(b"{"):
                refused = json.loads(last)
                raise OSError(refused["errno"], refused["strerror"], refused["filename"])
            said = errors.decode(errors="replace").strip().splitlines() or ["no reason given"]
            raise PackagesError(f"the packages cannot be compiled: {said[-1]}")
        magic, *lines = map(json.loads, output.splitlines())
        return magic, [
            Piece(line[0], line[1], line[2][:PIECE_DIGEST_DIGITS]) if line else None
            for line in lines
        ]

    def kill(self) -> None:
        """Kill the process if it is still running."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()


def _append_texts(site: Path, code: Path) -> tuple[Distribution, ...]:
    """Append the metadata of distributions to the code file."""
    found = []
    with code.open("ab") as stream:
        for folder in sorted(site.glob(f"*{_DIST_INFO}")):
            inside = frozenset(
                path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()
            )
            texts = {}
            for name in sorted(inside.intersection(_TEXTS)):
                data = (folder / name).read_bytes()
                digest = hashlib.sha256(data).hexdigest()[:PIECE_DIGEST_DIGITS]
                texts[name] = Piece(stream.tell(), len(data), digest)
                stream.write(data)
            found.append(Distribution(folder.name, inside, texts))
    return tuple(found)
