"""The index of a package set's modules: one file with all that an import must look up.

    modules.idx    a header line, a line of distributions, then a line for each folder
    modules.bin    the code objects (marshal) and texts that the index refers to, concatenated

For each folder, the index lists the importable names as Python's own finder would find them: a
package precedes a module of the same name, an extension precedes a source, and a folder without an
`__init__` is a namespace. A process that has read the index needs no file system lookup.

The code is for one version of Python's bytecode, named by its magic number. A folder's line is
parsed on the folder's first use, because a set has thousands of folders.

Source: https://docs.python.org/3/library/importlib.html, `FileFinder`.
"""

from __future__ import annotations

import json
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from model_store.errors import DamagedError, FormatTooNewError

if TYPE_CHECKING:
    from collections.abc import Mapping

INDEX: Final = "modules.idx"
CODE: Final = "modules.bin"
INDEX_FORMAT: Final = 1

INIT: Final = "__init__"

PIECE_DIGEST_DIGITS: Final = 32
"""Number of hex digits of a piece's SHA-256 in the index."""


class Piece(NamedTuple):
    """Bytes of modules.bin: offset, size, and the first digits of their SHA-256."""

    offset: int
    size_bytes: int
    digest: str


class Kind(StrEnum):
    """Kind of a name in a folder, for imports."""

    MODULE = "m"
    PACKAGE = "p"
    NAMESPACE = "n"


class IndexedModule(NamedTuple):
    """A name that can be imported from a folder.

    - `suffix`: the end of its file's name (`.py`, `.abi3.so`, `.pyc`); a namespace has no file.
    - `code`: compiled code; None if the file is not a source, or not one of Python.
    - `libraries`: paths in the set of the libraries that an extension links to, dependencies first.
    """

    kind: Kind
    suffix: str
    code: Piece | None = None
    libraries: tuple[str, ...] = ()

    def file(self, name: str) -> str:
        """Return the file's path in its folder."""
        return f"{name}/{INIT}{self.suffix}" if self.kind is Kind.PACKAGE else name + self.suffix


class Distribution(NamedTuple):
    """A `.dist-info` folder: its name, its files' names, and those of its texts in modules.bin."""

    folder: str
    files: frozenset[str]
    texts: Mapping[str, Piece]


class ModuleIndex:
    """A parsed index. Thread-safe: parsing a line twice gives equal values.

    `magic` is the bytecode's magic number, in hex digits.
    """

    def __init__(self, data: bytes, where: str) -> None:
        """Parse the header of an index; raises DamagedError or FormatTooNewError."""
        self._where = where
        first, second, *lines = *data.decode("utf-8", "replace").split("\n")[:-1], "", ""
        header = self._json(first)
        try:
            number, self.magic = int(header["format"]), str(header["magic"])
            n_folders = int(header["folders"])
        except (KeyError, OverflowError, TypeError, ValueError) as error:
            raise DamagedError(f"{where} is damaged: its first line is not an index's") from error
        if number > INDEX_FORMAT:
            raise FormatTooNewError(
                f"{where} has format {number}; this release reads formats up to {INDEX_FORMAT}"
            )
        self._distributions = second
        self._lines = dict(line.split("\t", 1) for line in lines if "\t" in line)
        if len(self._lines) != n_folders:
            raise DamagedError(f"{where} is damaged: not every folder has its line")
        self._folders: dict[str, dict[str, IndexedModule]] = {}

    def has(self, folder: str) -> bool:
        """Return True if the set has this folder (`""`: its `site-packages`)."""
        return folder in self._lines

    def folder(self, folder: str) -> Mapping[str, IndexedModule]:
        """Return the importable names of an existing folder; raises DamagedError."""
        modules = self._folders.get(folder)
        if modules is None:
            try:
                modules = {
                    name: _parse_module(value)
                    for name, value in self._json(self._lines[folder]).items()
                }
            except (TypeError, ValueError) as error:
                raise DamagedError(f"{self._where} is damaged: its line of {folder!r}") from error
            self._folders[folder] = modules
        return modules

    def folders(self) -> tuple[str, ...]:
        """Return the paths of all folders."""
        return tuple(self._lines)

    def distributions(self) -> tuple[Distribution, ...]:
        """Return all distributions; raises DamagedError. Parses them at each call."""
        try:
            return tuple(
                Distribution(
                    folder,
                    frozenset(item["files"]),
                    {name: Piece(*piece) for name, piece in item["texts"].items()},
                )
                for folder, item in self._json(self._distributions).items()
            )
        except (AttributeError, KeyError, TypeError) as error:
            raise DamagedError(f"{self._where} is damaged: its line of distributions") from error

    def _json(self, line: str) -> dict[str, Any]:
        try:
            value = json.loads(line)
        except (RecursionError, ValueError) as error:
            raise DamagedError(f"{self._where} is damaged: {error}") from error
        if not isinstance(value, dict):
            raise DamagedError(f"{self._where} is damaged: a line that is no JSON object")
        return value


def render_index(
    magic: str,
    folders: Mapping[str, Mapping[str, IndexedModule]],
    distributions: tuple[Distribution, ...],
) -> bytes:
    """Render an index: equal values give equal bytes. `ModuleIndex` parses it."""
    header = {"format": INDEX_FORMAT, "magic": magic, "folders": len(folders)}
    listed = {
        each.folder: {"files": sorted(each.files), "texts": dict(each.texts)}
        for each in distributions
    }
    lines = [_line(header), _line(listed)]
    for folder in sorted(folders):
        names = {
            name: [module.kind, module.suffix, *(module.code or module.libraries)]
            for name, module in folders[folder].items()
        }
        lines.append(f"{folder}\t{_line(names)}")
    return "".join(f"{line}\n" for line in lines).encode()


def _parse_module(value: list[Any]) -> IndexedModule:
    kind, suffix, *more = value
    if more and isinstance(more[0], str):
        return IndexedModule(Kind(kind), suffix, None, tuple(more))
    return IndexedModule(Kind(kind), suffix, Piece(*more) if more else None)


def _line(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), sort_keys=True, ensure_ascii=True)
