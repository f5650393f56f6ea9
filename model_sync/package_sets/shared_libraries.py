"""Find the libraries of a package set that an extension links to, without loading them.

A wheel has its libraries in a separate folder (`numpy.libs/`), which the extension names relative
to itself. For every extension, the dynamic linker looks for each library in that folder and in half
a dozen derived ones, which costs a round trip each on a network file system. So the index lists the
libraries' paths, and the importer loads them first. Files that share variables (elf_symbols.py) are
not listed, because the linker must load them together.

Source: System V gABI, "Dynamic Section"; ld.so(8), "Rpath token expansion".
"""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from elftools.common.exceptions import ELFError
from elftools.elf.dynamic import DynamicSegment
from elftools.elf.elffile import ELFFile

from model_sync.package_sets.elf_symbols import shared_variables

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_ORIGIN: Final = ("$ORIGIN", "${ORIGIN}")


class _Links(NamedTuple):
    """A file's dependencies: the names of libraries, and its own search folders.

    The linker also searches `rpath` for the dependencies of these libraries. It searches no
    inherited `rpath` for a file with a `runpath`.
    """

    needed: tuple[str, ...]
    rpath: tuple[str, ...]
    runpath: tuple[str, ...] | None


_NONE: Final = _Links((), (), None)


class Libraries:
    """The libraries in one `site-packages`, found by the linker's rules."""

    def __init__(self, site: Path) -> None:
        self._site = site
        self._links: dict[str, _Links] = {}
        self._variables: dict[str, frozenset[str]] = {}

    def of(self, path: str) -> tuple[str, ...]:
        """Return the paths of the libraries that a file needs, dependencies first.

        Return () if some of these files share a variable.
        """
        found: dict[str, None] = {}
        self._follow(path, (), found, {path})
        return () if found and self._share_variables(path, *found) else tuple(found)

    def _share_variables(self, *paths: str) -> bool:
        for path in paths:
            if path not in self._variables:
                self._variables[path] = shared_variables(self._site / path)
        each = [self._variables[path] for path in paths]
        return len(frozenset().union(*each)) < sum(map(len, each))

    def _follow(
        self, path: str, inherited: tuple[str, ...], found: dict[str, None], seen: set[str]
    ) -> None:
        links = self._read(path)
        if links.runpath is None:
            inherited = (*links.rpath, *inherited)
        folders = inherited if links.runpath is None else links.runpath
        for name in links.needed:
            place = next((each for each in _places(folders, name) if self._is_file(each)), None)
            if place is not None and place not in seen:
                seen.add(place)
                self._follow(place, inherited, found, seen)
                found[place] = None

    def _is_file(self, path: str) -> bool:
        return not path.startswith("../") and (self._site / path).is_file()

    def _read(self, path: str) -> _Links:
        if path not in self._links:
            self._links[path] = _links_of(self._site, path)
        return self._links[path]


def _places(folders: tuple[str, ...], name: str) -> Iterator[str]:
    return (posixpath.normpath(posixpath.join(folder, name)) for folder in folders)


def _links_of(site: Path, path: str) -> _Links:
    """Read a file's dynamic section; return `_NONE` for a file that is not ELF."""
    needed: list[str] = []
    rpath: list[str] = []
    runpath: list[str] | None = None
    origin = posixpath.dirname(path)
    try:
        with (site / path).open("rb") as stream:
            for segment in ELFFile(stream).iter_segments("PT_DYNAMIC"):
                if not isinstance(segment, DynamicSegment):
                    continue
                tag: Any  # its attributes depend on its kind
                for tag in segment.iter_tags():
                    if tag.entry.d_tag == "DT_NEEDED":
                        needed.append(tag.needed)
                    elif tag.entry.d_tag == "DT_RUNPATH":
                        runpath = [*_expanded(tag.runpath, origin)]
                    elif tag.entry.d_tag == "DT_RPATH":
                        rpath += _expanded(tag.rpath, origin)
    except (ELFError, OSError, ValueError, KeyError, AttributeError, UnicodeDecodeError):
        return _NONE  # untrusted file: the linker will report the problem at import
    if runpath is not None:
        return _Links(tuple(needed), (), tuple(runpath))
    return _Links(tuple(needed), tuple(rpath), None)


def _expanded(paths: str, origin: str) -> Iterator[str]:
    """Yield the folders of a search path that are relative to the file itself."""
    for path in paths.split(":"):
        for token in _ORIGIN:
            if path == token or path.startswith(f"{token}/"):
                yield posixpath.normpath(posixpath.join(origin, path[len(token) :].lstrip("/")))
