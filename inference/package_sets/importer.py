"""Import modules of a package set by its index, without looking names up in the file system.

For each name, Python's own finder lists folders and reads a file's attributes several times. On a
network file system each of these is a round trip, and a large package takes thousands. A set's
index (model_store/module_index.py) lists all modules, and modules.bin holds their compiled code. A
hook for the set's folders (`sys.path_hooks`) returns finders that answer from memory.

Everything else is Python's own: the order of `sys.path`, namespace packages, `__file__`,
`__spec__`, resources, sources for tracebacks, extensions from their files. A folder of the set that
a package adds to `sys.path` itself is found by the index as well.

Damaged code is not run. Its module is compiled from source instead, and the damage is reported.

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
        """Reports of damaged code, one line each."""
        self.pieces_read: Final[dict[Piece, None]] = {}
        """The pieces that were read, in order, each once. A dict, as an ordered set."""
        self._code_path = code_path
        # Each is changed by one atomic operation, without a lock: a lock that another thread holds
        # during a fork would stay locked in the child for ever.
        self._descriptors: list[int] = []
        self._libraries: set[str] = set()

    def hook(self, path: str) -> _IndexedFinder:
        """Return a finder for one of the set's folders; else raise ImportError. A path hook."""
        relative = self._relative(path)
        if relative is None or not self.index.has(relative):
            raise ImportError("no folder of this package set", path=path)
        return _IndexedFinder(path, relative, self)

    def read(self, piece: Piece) -> bytes | None:
        """Return the bytes of a piece; None if they are not the published ones."""
        try:
            data = os.pread(self._descriptor(), piece.size_bytes, piece.offset)
        except OSError as error:
            self._report_once(f"{self._code_path} cannot be read: {error.strerror}")
            return None
        if hashlib.sha256(data).hexdigest()[:PIECE_DIGEST_DIGITS] != piece.digest:
            self._report_once(f"{self._code_path} is damaged at byte {piece.offset}")
            return None
        self.pieces_read[piece] = None
        return data

    def load_library(self, path: str) -> None:
        """Load a library of the set, unless one of its name is loaded, as the linker would.

        A failure is ignored here: the linker meets it again, and reports it.
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
        """Close the file of code. The next read opens it again."""
        while self._descriptors:
            os.close(self._descriptors.pop())

    def _report_once(self, line: str) -> None:
        if line not in self.damaged:
            self.damaged.append(line)

    def _descriptor(self) -> int:
        try:
            return self._descriptors[-1]
        except IndexError:
            descriptor = os.open(self._code_path, os.O_RDONLY | os.O_CLOEXEC)
            self._descriptors.append(descriptor)  # two threads may each open it: harmless
            return descriptor

    def _relative(self, path: str) -> str | None:
        """Return a folder's path in the site; None for one elsewhere. No file system access."""
        if not path.startswith(self.folder):
            return None
        path = os.path.normpath(path)
        if path == self.folder:
            return ""
        if not path.startswith(self.folder + os.sep):
            return None
        return path[len(self.folder) + 1 :]


class _IndexedFinder(FileFinder):
    """Finder of the modules in one folder of a set.

    It is a FileFinder because `pkgutil` and `pkg_resources` require one.
    """

    def __init__(self, path: str, relative: str, site: IndexedSite) -> None:
        super().__init__(path)
        self._site = site
        self._names = site.index.folder(relative)
        self._inside = self.path.rstrip("/") + "/"

    def find_spec(self, fullname: str, target: ModuleType | None = None) -> ModuleSpec | None:
        """See importlib.abc.PathEntryFinder.find_spec."""
        del target
        name = fullname.rpartition(".")[2]
        module = self._names.get(name)
        if module is None:
            return None
        if module.kind is Kind.NAMESPACE:
            spec = ModuleSpec(fullname, None)
            spec.submodule_search_locations = [f"{self._inside}{name}"]
            return spec
        path = f"{self._inside}{module.file(name)}"
        loader: Loader
        # Python's own loader where ours gains nothing: tracebacks omit its frames.
        if module.suffix == _SOURCE and module.code is None:
            loader = SourceFileLoader(fullname, path)
        elif module.suffix == _SOURCE:
            loader = _IndexedLoader(fullname, path, module.code, self._site)
        elif module.suffix.endswith(_EXTENSION) and not module.libraries:
            loader = ExtensionFileLoader(fullname, path)
        elif module.suffix.endswith(_EXTENSION):
            loader = _IndexedExtensionLoader(fullname, path, module.libraries, self._site)
        else:
            loader = SourcelessFileLoader(fullname, path)
        search_locations: list[str] | None = None
        if module.kind is Kind.PACKAGE:
            search_locations = [f"{self._inside}{name}"]
        return importlib.util.spec_from_file_location(
            fullname, path, loader=loader, submodule_search_locations=search_locations
        )

    def invalidate_caches(self) -> None:
        """Do nothing: published files do not change."""


class _IndexedLoader(SourceFileLoader):
    """Loader of a source module, from its precompiled code."""

    def __init__(self, fullname: str, path: str, code: Piece | None, site: IndexedSite) -> None:
        super().__init__(fullname, path)
        self._code = code
        self._site = site

    def get_code(self, fullname: str) -> CodeType | None:
        """Return the module's code, with its source's path; compile the source if necessary."""
        data = self._code and self._site.read(self._code)
        if not data:
            return super().get_code(fullname)
        code: CodeType = marshal.loads(data)  # noqa: S302 - its digest was checked
        _fix_co_filename(code, self.path)
        return code


class _IndexedExtensionLoader(ExtensionFileLoader):
    """Loader of an extension that first loads the set's libraries that it links to.

    The libraries are loaded by path, without a search.
    """

    def __init__(
        self, fullname: str, path: str, libraries: tuple[str, ...], site: IndexedSite
    ) -> None:
        super().__init__(fullname, path)
        self._libraries = libraries
        self._site = site

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """See importlib.machinery.ExtensionFileLoader.create_module."""
        for library in self._libraries:
            self._site.load_library(library)
        return super().create_module(spec)


def install(site: IndexedSite) -> None:
    """Use the index for imports from the set's folders from now on."""
    sys.path_hooks.insert(0, site.hook)
    _forget_finders(site.folder)
    metadata.show(site.folder, site.index, site.read)


def uninstall(site: IndexedSite) -> None:
    """Restore Python's default importer for the set's folders."""
    metadata.hide(site.folder)
    if site.hook in sys.path_hooks:
        sys.path_hooks.remove(site.hook)
    _forget_finders(site.folder)
    site.close()


def fits_bytecode(index: ModuleIndex) -> bool:
    """Return True if an index's code is of this Python's bytecode version."""
    return index.magic == importlib.util.MAGIC_NUMBER.hex()


def _forget_finders(folder: str) -> None:
    for path in list(sys.path_importer_cache):
        if path == folder or path.startswith(folder + os.sep):
            sys.path_importer_cache.pop(path, None)


_fix_co_filename: Final[Any] = _imp._fix_co_filename  # type: ignore[attr-defined]  # noqa: SLF001
"""Set the source path of a code object and those in it, as importlib does for `.pyc`."""
