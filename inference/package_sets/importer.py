"""Imports modules of a package set by its index, without asking the file system for names.

Python's own finder lists every folder and asks for a file's attributes several times for each name
that it looks for; on a network file system each is a round trip, and a large package is thousands.
A set's index (model_store/module_index.py) says what there is, and modules.bin holds all code,
compiled. So a hook for the set's folders (`sys.path_hooks`) gives finders that answer from memory.

All else is as with plain folders, for it is Python's own: the order of `sys.path`, namespace
packages, `__file__`, `__spec__`, resources, sources for tracebacks, extensions from their files.
A folder of the set that a package adds to `sys.path` itself is found by its index, too.

Damaged code is not run: the module is then compiled from its source, and counted.

Source: https://docs.python.org/3/reference/import.html, "Path entry finders".
"""

from __future__ import annotations

import _imp
import contextlib
import hashlib
import importlib.util
import marshal
import os
import sys
from _ctypes import dlopen as _dlopen
from importlib.machinery import (
    ExtensionFileLoader,
    FileFinder,
    ModuleSpec,
    SourceFileLoader,
    SourcelessFileLoader,
)
from typing import TYPE_CHECKING, Any, Final

from inference.package_sets import metadata
from model_store.module_index import PIECE_DIGEST_DIGITS, Kind

if TYPE_CHECKING:
    from importlib.abc import Loader
    from types import CodeType, ModuleType

    from model_store.module_index import ModuleIndex, Piece

_EXTENSION: Final = ".so"
_SOURCE: Final = ".py"


class IndexedSite:
    """A set's `site-packages`, its index, and its file of code. Thread-safe."""

    def __init__(self, folder: str, index: ModuleIndex, code_path: str) -> None:
        self.folder: Final = folder
        self.index: Final = index
        self.damaged: Final[list[str]] = []
        """What was not as it was published, in lines."""
        self.pieces_read: Final[dict[Piece, None]] = {}
        """What was read of the file of code, in order, each once: a call may read a version."""
        self._code_path = code_path
        # Changed by one step each and never locked: a lock that another thread held when a process
        # forked would be held in the child for ever.
        self._descriptors: list[int] = []
        self._libraries: set[str] = set()

    def hook(self, path: str) -> _IndexedFinder:
        """A finder for one of the set's folders, for `sys.path_hooks`; else raises ImportError."""
        relative = self._relative(path)
        if relative is None or not self.index.has(relative):
            raise ImportError("no folder of this package set", path=path)
        return _IndexedFinder(path, relative, self)

    def read(self, piece: Piece) -> bytes | None:
        """The bytes of a piece; None where they are not those that were published."""
        try:
            data = os.pread(self._opened(), piece.size_bytes, piece.offset)
        except OSError as error:
            self._say_once(f"{self._code_path} cannot be read: {error.strerror}")
            return None
        if hashlib.sha256(data).hexdigest()[:PIECE_DIGEST_DIGITS] != piece.digest:
            self._say_once(f"{self._code_path} is damaged at byte {piece.offset}")
            return None
        self.pieces_read[piece] = None
        return data

    def load_library(self, path: str) -> None:
        """Load a library of the set, unless one of that name is loaded, as the linker would.

        What cannot be loaded is left to the linker, which says why.
        """
        if path in self._libraries:
            return
        self._libraries.add(path)
        try:
            _dlopen(path.rpartition("/")[2], os.RTLD_NOW | os.RTLD_NOLOAD)
        except OSError:
            with contextlib.suppress(OSError):
                _dlopen(f"{self.folder}/{path}", os.RTLD_NOW)

    def close(self) -> None:
        """Let go of the file of code; whoever reads again opens it again."""
        while self._descriptors:
            os.close(self._descriptors.pop())

    def _say_once(self, line: str) -> None:
        if line not in self.damaged:
            self.damaged.append(line)

    def _opened(self) -> int:
        try:
            return self._descriptors[-1]
        except IndexError:
            opened = os.open(self._code_path, os.O_RDONLY | os.O_CLOEXEC)
            self._descriptors.append(opened)  # two threads at once open it twice: no harm
            return opened

    def _relative(self, path: str) -> str | None:
        """A folder's path in the site; None for one elsewhere. The file system is not asked."""
        if not path.startswith(self.folder):
            return None
        path = os.path.normpath(path)
        if path == self.folder:
            return ""
        if not path.startswith(self.folder + os.sep):
            return None
        return path[len(self.folder) + 1 :]


class _IndexedFinder(FileFinder):
    """Finds what can be imported from one folder of a set.

    A FileFinder, so that what asks for one (`pkgutil`, `pkg_resources`) gets what it asks for.
    """

    def __init__(self, path: str, relative: str, site: IndexedSite) -> None:
        super().__init__(path)
        self._site = site
        self._names = site.index.folder(relative)
        self._inside = self.path.rstrip("/") + "/"

    def find_spec(self, fullname: str, target: ModuleType | None = None) -> ModuleSpec | None:
        """As importlib.abc.PathEntryFinder.find_spec."""
        del target
        name = fullname.rpartition(".")[2]
        found = self._names.get(name)
        if found is None:
            return None
        if found.kind is Kind.NAMESPACE:
            spec = ModuleSpec(fullname, None)
            spec.submodule_search_locations = [f"{self._inside}{name}"]
            return spec
        path = f"{self._inside}{found.file(name)}"
        loader: Loader
        # Where there is nothing to do better, Python's own: its frames are left out of tracebacks.
        if found.suffix == _SOURCE and found.code is None:
            loader = SourceFileLoader(fullname, path)
        elif found.suffix == _SOURCE:
            loader = _IndexedLoader(fullname, path, found.code, self._site)
        elif found.suffix.endswith(_EXTENSION) and not found.libraries:
            loader = ExtensionFileLoader(fullname, path)
        elif found.suffix.endswith(_EXTENSION):
            loader = _IndexedExtensionLoader(fullname, path, found.libraries, self._site)
        else:
            loader = SourcelessFileLoader(fullname, path)
        places: list[str] | None = None
        if found.kind is Kind.PACKAGE:
            places = [f"{self._inside}{name}"]
        return importlib.util.spec_from_file_location(
            fullname, path, loader=loader, submodule_search_locations=places
        )

    def invalidate_caches(self) -> None:
        """What was published does not change."""


class _IndexedLoader(SourceFileLoader):
    """Loads a module of source from its code, compiled beforehand."""

    def __init__(self, fullname: str, path: str, code: Piece | None, site: IndexedSite) -> None:
        super().__init__(fullname, path)
        self._code = code
        self._site = site

    def get_code(self, fullname: str) -> CodeType | None:
        """The module's code, with the path of its source; compiled from that if need be."""
        data = self._code and self._site.read(self._code)
        if not data:
            return super().get_code(fullname)
        code: CodeType = marshal.loads(data)  # noqa: S302 - held to the index's digest
        _fix_co_filename(code, self.path)
        return code


class _IndexedExtensionLoader(ExtensionFileLoader):
    """Loads an extension, and before it what it links to of the set: by path, without a search."""

    def __init__(
        self, fullname: str, path: str, libraries: tuple[str, ...], site: IndexedSite
    ) -> None:
        super().__init__(fullname, path)
        self._libraries = libraries
        self._site = site

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """As importlib.machinery.ExtensionFileLoader.create_module."""
        for library in self._libraries:
            self._site.load_library(library)
        return super().create_module(spec)


def install(site: IndexedSite) -> None:
    """Have imports from the set's folders go by its index, from now on."""
    sys.path_hooks.insert(0, site.hook)
    _forget_finders(site.folder)
    metadata.show(site.folder, site.index, site.read)


def uninstall(site: IndexedSite) -> None:
    """Have imports from there go as ever again."""
    metadata.hide(site.folder)
    if site.hook in sys.path_hooks:
        sys.path_hooks.remove(site.hook)
    _forget_finders(site.folder)
    site.close()


def fits_bytecode(index: ModuleIndex) -> bool:
    """Whether this process can run an index's code, as far as its bytecode tells."""
    return index.magic == importlib.util.MAGIC_NUMBER.hex()


def _forget_finders(folder: str) -> None:
    for path in list(sys.path_importer_cache):
        if path == folder or path.startswith(folder + os.sep):
            sys.path_importer_cache.pop(path, None)


_fix_co_filename: Final[Any] = _imp._fix_co_filename  # type: ignore[attr-defined]  # noqa: SLF001
"""Gives a code object and those in it the path where they lie, as importlib does for `.pyc`."""
