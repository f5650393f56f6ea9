"""Package sets that this process imports from: packages beyond those of the runtime layer.

A version that pins a set uses it while it loads:

1. Read the set's manifest. The set must be for this Python and this processor.
2. Compare it with the sets in use. A process holds one version of a package, so a set that needs
   another wheel of a package is refused. Otherwise its imports would silently get the older one.
3. Append the set's `site-packages` to `sys.path`, once. Packages of the runtime are found first.
4. Import from the set by its index (importer.py). If the index is damaged, or is for another
   version of Python's bytecode, import as from any folder, and report the reason.

A set stays in use while the process lives, even after its version was evicted, because Python
cannot unload modules or libraries, not even those of a load that failed. A load that fails before
it imports anything leaves no trace. The files of a set were checked when the set was published;
they are not checked again here.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from inference.errors import LoadError
from inference.package_sets.gc_pause import gc_paused
from inference.package_sets.importer import IndexedSite, fits_bytecode, install, uninstall
from model_store.digests import Digest
from model_store.documents import MAX_DOCUMENT_BYTES
from model_store.errors import StoreError
from model_store.files import read_beneath
from model_store.module_index import CODE, INDEX, ModuleIndex
from model_store.package_set import SITE_PACKAGES, PackageSetManifest, Target, Wheel
from model_store.reading import read_package_set

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from contextlib import AbstractContextManager

    from model_store.layout import StoreLayout
    from model_store.module_index import Piece


def use_package_set(
    layout: StoreLayout, digest: Digest, needed_by: str
) -> AbstractContextManager[Callable[[], str | None]]:
    """Let this process import from a package set, inside the context and after it.

    The context's value is a function that returns, in one line, why some or all imports do not use
    the set's index; None if all do. If the context ends with an error, the set is removed again,
    unless something uses it by then. `needed_by` names the version in messages.

    Reads two files. Raises LoadError if the set does not fit this process, NotFoundError,
    DamagedError, FormatTooNewError. Thread-safe.
    """
    return _process_sets.use(layout, digest, needed_by)


def is_in_use(layout: StoreLayout, digest: Digest) -> bool:
    """Return True if this process imports from a set; it then does so until it ends."""
    return _process_sets.is_in_use(layout, digest)


def pieces_read(layout: StoreLayout, digest: Digest) -> tuple[Piece, ...]:
    """Return the pieces of a set's code file that this process has read, in order."""
    return _process_sets.pieces_read(layout, digest)


def find_conflict(
    wanted: PackageSetManifest, in_use: Iterable[PackageSetManifest]
) -> tuple[Wheel, Wheel] | None:
    """Return the first two wheels, wanted and used, of one package or module that differ."""
    for manifest in in_use:
        used = {wheel.name: wheel for wheel in manifest.wheels}
        for wheel in wanted.wheels:
            if wheel.digest != used.get(wheel.name, wheel).digest:
                return wheel, used[wheel.name]
        for module, name in sorted(wanted.modules.items()):
            other = manifest.modules.get(module, name)
            if other != name:
                return next(each for each in wanted.wheels if each.name == name), used[other]
    return None


def fits(target: Target, running: Target) -> bool:
    """Return True if packages for `target` run on `running`, judging by their names."""
    return (target.python, target.machine) == (running.python, running.machine)


@dataclass(slots=True)
class _InUse:
    manifest: PackageSetManifest
    indexed: IndexedSite | str
    """The set's index-based importer; or, in one line, why it is imported as any folder."""
    users: int = 0
    """Number of versions that load or have loaded with the set."""


class PackageSets:
    """Sets that one process imports from. Each process has one instance."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._in_use: dict[str, _InUse] = {}

    @contextlib.contextmanager
    def use(
        self, layout: StoreLayout, digest: Digest, needed_by: str
    ) -> Iterator[Callable[[], str | None]]:
        """See `use_package_set`."""
        manifest = read_package_set(layout, digest)
        running = Target.running()
        if not fits(manifest.target, running):
            raise LoadError(
                f"{needed_by} needs packages for Python {manifest.target.python} on "
                f"{manifest.target.machine}; this is Python {running.python} on {running.machine}"
            )
        site = site_of(layout, digest)
        in_use = self._enter(site, manifest, needed_by)
        try:
            with gc_paused():
                yield lambda: _why_plain(in_use.indexed)
        except BaseException:
            self._leave(site)
            raise

    def is_in_use(self, layout: StoreLayout, digest: Digest) -> bool:
        """See the function `is_in_use`."""
        with self._lock:
            return site_of(layout, digest) in self._in_use

    def pieces_read(self, layout: StoreLayout, digest: Digest) -> tuple[Piece, ...]:
        """See the function `pieces_read`."""
        with self._lock:
            in_use = self._in_use.get(site_of(layout, digest))
        if in_use is None or isinstance(in_use.indexed, str):
            return ()
        return tuple(in_use.indexed.pieces_read)

    def _enter(self, site: str, manifest: PackageSetManifest, needed_by: str) -> _InUse:
        with self._lock:
            is_known = site in self._in_use
        indexed = "" if is_known else _indexed(site, manifest)
        with self._lock:
            conflict = find_conflict(manifest, (each.manifest for each in self._in_use.values()))
            if conflict:
                raise LoadError(f"{needed_by} {_describe_conflict(*conflict)}")
            in_use = self._in_use.get(site)
            if in_use is None:
                indexed = indexed or _indexed(site, manifest)  # removed since the check above
                in_use = self._in_use[site] = _InUse(manifest, indexed)
                if isinstance(indexed, IndexedSite):
                    install(indexed)
            in_use.users += 1
            # Set before the first import: published files must not change.
            sys.dont_write_bytecode = True
            if site not in sys.path:
                # An earlier lookup there may be cached as missing.
                sys.path_importer_cache.pop(site, None)
                sys.path.append(site)
            return in_use

    def _leave(self, site: str) -> None:
        with self._lock:
            entry = self._in_use[site]
            entry.users -= 1
            if entry.users or _is_imported_from(site) or _is_mapped(site):
                return
            del self._in_use[site]
            with contextlib.suppress(ValueError):
                sys.path.remove(site)
            if isinstance(entry.indexed, IndexedSite):
                uninstall(entry.indexed)


def site_of(layout: StoreLayout, digest: Digest) -> str:
    """Return the path of a set's `site-packages`, as on `sys.path`."""
    return os.path.abspath(layout.package_set(digest) / SITE_PACKAGES)  # noqa: PTH100 - a string


_process_sets: Final = PackageSets()

_MAPS: Final = Path("/proc/self/maps")


def _indexed(site: str, manifest: PackageSetManifest) -> IndexedSite | str:
    """Return a set's index-based importer; or, in one line, why there is none."""
    if manifest.index_digest is None:
        return "it was published without an index"
    folder = Path(site).parent
    try:
        data = read_beneath(folder, INDEX, MAX_DOCUMENT_BYTES)
        if Digest.of_bytes(data) != manifest.index_digest:
            return f"{folder / INDEX} is damaged: its digest is not the published one"
        index = ModuleIndex(data, str(folder / INDEX))
    except OSError as error:
        return f"{folder / INDEX} cannot be read: {error.strerror}"
    except StoreError as error:
        return str(error)
    return _unfit(index) or IndexedSite(site, index, str(folder / CODE))


def _unfit(index: ModuleIndex) -> str | None:
    """Return, in one line, why this process cannot run an index's code; None if it can."""
    if sys.flags.optimize:
        return "its code is compiled with assertions, and this Python runs with -O"
    if not fits_bytecode(index):
        return f"its code is for bytecode {index.magic}, and this Python has another"
    return None


def _why_plain(indexed: IndexedSite | str) -> str | None:
    if isinstance(indexed, str):
        return indexed
    return indexed.damaged[0] if indexed.damaged else None


def _describe_conflict(wanted: Wheel, in_use: Wheel) -> str:
    wanted_name = f"{wanted.name} {wanted.version}"
    used_name = in_use.version if in_use.version != wanted.version else "another build of it"
    if wanted.name != in_use.name:
        used_name = f"{in_use.name} {in_use.version}, whose modules have the same names"
    return (
        f"needs {wanted_name}, and another version loaded here needs {used_name}: it loads in a "
        "fresh environment (Python cannot hold two versions of a package)"
    )


def _is_imported_from(site: str) -> bool:
    # Without getattr: a module may be a lazy stand-in that imports on attribute access.
    files = (getattr(module, "__dict__", {}).get("__file__") for module in [*sys.modules.values()])
    return any(isinstance(file, str) and file.startswith(site + os.sep) for file in files)


def _is_mapped(site: str) -> bool:
    """Return True if a file of the set is mapped, as a loaded library always is. Linux only."""
    path = "/".join(["", *Path(site).parts[-3:], ""])  # a link may precede these parts
    try:
        return path.encode() in _MAPS.read_bytes()
    except OSError:
        return False
