"""The index of a package set's modules: what an import needs to know, in one file.

    modules.idx    a line of what it is, a line of distributions, then a line for each folder
    modules.bin    the code objects (marshal) and texts that the index names, one after another

The index says of each folder what can be imported from it, as Python's own finder would find it
there: a package goes before a module of the same name, an extension before a source, and a folder
without an `__init__` is a namespace. So whoever has read it asks no file system for a name.

Code is of one version of Python's bytecode, by its magic number; another cannot use it. Lines are
read when their folder is first asked for: a set has thousands.

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
"""How many hex digits of a piece's SHA-256 the index holds."""


class Piece(NamedTuple):
    """Bytes of modules.bin: where, how many, and the first digits of their SHA-256."""

    offset: int
    size_bytes: int
    digest: str


class Kind(StrEnum):
    """What a name in a folder is to an import."""

    MODULE = "m"
    PACKAGE = "p"
    NAMESPACE = "n"


class Found(NamedTuple):
    """A name that can be imported from a folder.

    `suffix` ends its file's name (`.py`, `.abi3.so`, `.pyc`); a namespace has no file. `code` is
    None for what is no source, and for a source that is none of Python's. `libraries` are the
    paths in the set of what an extension links to, each after what it links to itself.
    """

    kind: Kind
    suffix: str
    code: Piece | None = None
    libraries: tuple[str, ...] = ()

    def file(self, name: str) -> str:
        """The file's path in its folder."""
        return f"{name}/{INIT}{self.suffix}" if self.kind is Kind.PACKAGE else name + self.suffix


class Distribution(NamedTuple):
    """A `.dist-info` folder: its name, the names of its files, and those files' bytes to hand."""

    folder: str
    files: frozenset[str]
    texts: Mapping[str, Piece]


class ModuleIndex:
    """An index that was read. Thread-safe: what is parsed twice is the same.

    `magic` is that of the bytecode, in hex digits.
    """

    def __init__(self, data: bytes, where: str) -> None:
        """Raises DamagedError or FormatTooNewError."""
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
        self._folders: dict[str, dict[str, Found]] = {}

    def has(self, folder: str) -> bool:
        """Whether there is a folder of that path (`""`: the set's `site-packages`)."""
        return folder in self._lines

    def folder(self, folder: str) -> Mapping[str, Found]:
        """What can be imported from a folder that there is, by name; raises DamagedError."""
        found = self._folders.get(folder)
        if found is None:
            try:
                found = {
                    name: _found(value) for name, value in self._json(self._lines[folder]).items()
                }
            except (TypeError, ValueError) as error:
                raise DamagedError(f"{self._where} is damaged: its line of {folder!r}") from error
            self._folders[folder] = found
        return found

    def folders(self) -> tuple[str, ...]:
        """Every folder's path."""
        return tuple(self._lines)

    def distributions(self) -> tuple[Distribution, ...]:
        """Every distribution, by its folder's name; raises DamagedError. Parsed at each call."""
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
    folders: Mapping[str, Mapping[str, Found]],
    distributions: tuple[Distribution, ...],
) -> bytes:
    """Spell an index: the same value always gives the same bytes. `ModuleIndex` reads it."""
    header = {"format": INDEX_FORMAT, "magic": magic, "folders": len(folders)}
    listed = {
        each.folder: {"files": sorted(each.files), "texts": dict(each.texts)}
        for each in distributions
    }
    lines = [_line(header), _line(listed)]
    for folder in sorted(folders):
        names = {
            name: [found.kind, found.suffix, *(found.code or found.libraries)]
            for name, found in folders[folder].items()
        }
        lines.append(f"{folder}\t{_line(names)}")
    return "".join(f"{line}\n" for line in lines).encode()


def _found(value: list[Any]) -> Found:
    kind, suffix, *more = value
    if more and isinstance(more[0], str):
        return Found(Kind(kind), suffix, None, tuple(more))
    return Found(Kind(kind), suffix, Piece(*more) if more else None)


def _line(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), sort_keys=True, ensure_ascii=True)
