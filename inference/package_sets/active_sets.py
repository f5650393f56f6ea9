"""Package sets: what a version's own code imports beyond what the runtime brings.

A version that pins a set uses it while it loads:

1. Read the set's manifest; it must be for this Python and this processor.
2. No package in it may be one that this process already imports from another set as another
   wheel: Python holds one version of a package, and an import would quietly get the older one.
3. Append the set's `site-packages` to `sys.path`, once. What the runtime brings is found first.
4. Have imports from there go by the set's index (importer.py). Where that is not for this
   Python's bytecode, or not what was published, they go as from any folder; somebody is told.

A set stays in use while the process lives, also when the version that needed it is let go: what
was imported cannot be taken back, nor can a library that was loaded, by a module that then failed.
A load that fails before it has imported anything leaves nothing behind. The files of a set were
checked when it was published, not when it is used.
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
    """Let this process import from a package set, in the context and after it.

    The context's value tells why imports do not go by the set's index, as far as they do not, in a
    line; None: they do. If the context ends by an error, the set is taken back, unless something
    needs it by then. `needed_by` names the version in messages. Raises LoadError where the set does
    not fit this process, NotFoundError, DamagedError, FormatTooNewError. Thread-safe; two files are
    read.
    """
    return _of_this_process.use(layout, digest, needed_by)


def is_in_use(layout: StoreLayout, digest: Digest) -> bool:
    """Whether this process imports from a set, or has: then it does so to its end."""
    return _of_this_process.is_in_use(layout, digest)


def pieces_read(layout: StoreLayout, digest: Digest) -> tuple[Piece, ...]:
    """What this process has read of the code of a set that it imports from, in order."""
    return _of_this_process.pieces_read(layout, digest)


def find_conflict(
    wanted: PackageSetManifest, in_use: Iterable[PackageSetManifest]
) -> tuple[Wheel, Wheel] | None:
    """The first wheels that bring one package, or one module, and differ: the wanted, the used."""
    for manifest in in_use:
        taken = {wheel.name: wheel for wheel in manifest.wheels}
        for wheel in wanted.wheels:
            if wheel.digest != taken.get(wheel.name, wheel).digest:
                return wheel, taken[wheel.name]
        for module, name in sorted(wanted.modules.items()):
            other = manifest.modules.get(module, name)
            if other != name:
                return next(each for each in wanted.wheels if each.name == name), taken[other]
    return None


def fits(target: Target, running: Target) -> bool:
    """Tell whether packages for a target run on another, as far as their names tell."""
    return (target.python, target.machine) == (running.python, running.machine)


@dataclass(slots=True)
class _InUse:
    manifest: PackageSetManifest
    indexed: IndexedSite | str
    """How it is imported; or, in a line, why it is imported as any folder."""
    users: int = 0
    """Versions that loaded with it, and those that are loading."""


class PackageSets:
    """The sets that one process imports from. A process has one: `use_package_set` is its."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._in_use: dict[str, _InUse] = {}

    @contextlib.contextmanager
    def use(
        self, layout: StoreLayout, digest: Digest, needed_by: str
    ) -> Iterator[Callable[[], str | None]]:
        """As `use_package_set`."""
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
        """As the function of this name."""
        with self._lock:
            return site_of(layout, digest) in self._in_use

    def pieces_read(self, layout: StoreLayout, digest: Digest) -> tuple[Piece, ...]:
        """As the function `pieces_read`."""
        with self._lock:
            in_use = self._in_use.get(site_of(layout, digest))
        if in_use is None or isinstance(in_use.indexed, str):
            return ()
        return tuple(in_use.indexed.pieces_read)

    def _enter(self, site: str, manifest: PackageSetManifest, needed_by: str) -> _InUse:
        with self._lock:
            known = site in self._in_use
        indexed = "" if known else _indexed(site, manifest)
        with self._lock:
            conflict = find_conflict(manifest, (each.manifest for each in self._in_use.values()))
            if conflict:
                raise LoadError(f"{needed_by} {_explained(*conflict)}")
            in_use = self._in_use.get(site)
            if in_use is None:
                indexed = indexed or _indexed(site, manifest)  # let go since it was looked for
                in_use = self._in_use[site] = _InUse(manifest, indexed)
                if isinstance(indexed, IndexedSite):
                    install(indexed)
            in_use.users += 1
            # Before anything is imported from it: what is published never changes.
            sys.dont_write_bytecode = True
            if site not in sys.path:
                # What was looked for there before may be remembered as missing.
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
    """A set's `site-packages`, as it stands on `sys.path`."""
    return os.path.abspath(layout.package_set(digest) / SITE_PACKAGES)  # noqa: PTH100 - a string


_of_this_process: Final = PackageSets()

_MAPS: Final = Path("/proc/self/maps")


def _indexed(site: str, manifest: PackageSetManifest) -> IndexedSite | str:
    """A set's modules by its index; or, in a line, why not."""
    if manifest.index_digest is None:
        return "it was published without an index"
    folder = Path(site).parent
    try:
        data = read_beneath(folder, INDEX, MAX_DOCUMENT_BYTES)
        if Digest.of_bytes(data) != manifest.index_digest:
            return f"{folder / INDEX} is damaged: it is not what was published"
        index = ModuleIndex(data, str(folder / INDEX))
    except OSError as error:
        return f"{folder / INDEX} cannot be read: {error.strerror}"
    except StoreError as error:
        return str(error)
    return _unfit(index) or IndexedSite(site, index, str(folder / CODE))


def _unfit(index: ModuleIndex) -> str | None:
    """Why this process cannot run an index's code, in a line."""
    if sys.flags.optimize:
        return "its code is compiled with assertions, and this Python runs with -O"
    if not fits_bytecode(index):
        return f"its code is for bytecode {index.magic}, and this Python has another"
    return None


def _why_plain(indexed: IndexedSite | str) -> str | None:
    if isinstance(indexed, str):
        return indexed
    return indexed.damaged[0] if indexed.damaged else None


def _explained(wanted: Wheel, in_use: Wheel) -> str:
    what = f"{wanted.name} {wanted.version}"
    have = in_use.version if in_use.version != wanted.version else "another build of it"
    if wanted.name != in_use.name:
        have = f"{in_use.name} {in_use.version}, whose modules have the same names"
    return (
        f"needs {what}, and another version loaded here needs {have}: it loads in an environment "
        "that starts anew (Python cannot hold two versions of a package)"
    )


def _is_imported_from(site: str) -> bool:
    # Not by getattr: a module may be a stand-in that imports when it is asked.
    files = (getattr(module, "__dict__", {}).get("__file__") for module in [*sys.modules.values()])
    return any(isinstance(file, str) and file.startswith(site + os.sep) for file in files)


def _is_mapped(site: str) -> bool:
    """Whether a file of the set is mapped, as a library is to the process's end. Linux tells it."""
    place = "/".join(["", *Path(site).parts[-3:], ""])  # a link may be before it
    try:
        return place.encode() in _MAPS.read_bytes()
    except OSError:
        return False
