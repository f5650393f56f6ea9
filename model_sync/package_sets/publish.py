"""Publish package sets: wheels unpacked into an immutable folder that is named by its digest.

1. Download the wheels that the requirements pin for the target, without packages that the runtime
   provides (download.py).
2. Compute the set's digest from the wheels and from the choice to prune them. If the store has that
   set, nothing is written.
3. Unpack the wheels into staging with `installer`, without bytecode, scripts and files that a
   server never needs (pruning.py); make the index of their modules (index.py); record every file's
   size and digest; set the modes; fsync.
4. Rename the complete folder into place. Two concurrent publishers of the same set make one set.
"""

from __future__ import annotations

import errno
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from installer.utils import parse_wheel_filename

from model_store.digests import Digest
from model_store.documents import FORMAT, now, render
from model_store.files import FileEntry
from model_store.layout import MANIFEST
from model_store.module_index import INDEX
from model_store.package_set import FILES, SITE_PACKAGES, PackageSetManifest, Target, Wheel
from model_sync.errors import PackagesError
from model_sync.package_sets.download import get_wheels
from model_sync.package_sets.index import write_index
from model_sync.package_sets.interpreters import interpreter_for
from model_sync.package_sets.names import canonical_name
from model_sync.package_sets.pruning import LeftOut
from model_sync.package_sets.runtime_packages import Runtime
from model_sync.package_sets.top_modules import top_modules_of
from model_sync.package_sets.unpack import size_of, unpack, unpacked_bytes
from model_sync.package_sets.unused_marks import rely_on
from model_sync.progress import readable_bytes
from model_sync.store_io import durable
from model_sync.store_io.disk_space import require_space, writing
from model_sync.store_io.parallel import SharedProgress, in_parallel
from model_sync.store_io.staging import Staging
from model_sync.text import pluralize

if TYPE_CHECKING:
    from collections.abc import Mapping

    from model_store.layout import StoreLayout
    from model_sync.progress import Progress

_SET: Final = "package-set"
_MANY_FILES: Final = 64
"""Minimum number of files that are made durable by threads; disks and servers handle many requests
in parallel. Measured on two processors: 9,500 files, 650 MB, take 31-45 s with one thread and 7-8 s
with 16."""


def publish_packages(
    requirements: Path,
    layout: StoreLayout,
    target: Target,
    progress: Progress,
    *,
    pruned: bool = True,
    interpreter: Path | None = None,
) -> tuple[PackageSetManifest, bool]:
    """Publish the set that a requirements file pins; return its manifest, and True if it is new.

    `pruned`: leave out files that a server never needs. `interpreter`: the Python that compiles the
    modules, instead of the one that is found (interpreters.py). Packages that the runtime provides
    in the same version are left out. Raises PackagesError or StoreError; readers then see no
    change.
    """
    compiler = interpreter_for(target, interpreter)
    runtime_packages = Runtime.here().packages_for(target)
    with tempfile.TemporaryDirectory(prefix="coldpress-wheels-") as temporary:
        wheels = get_wheels(requirements, target, runtime_packages, Path(temporary), progress)
        return publish_wheels(wheels, layout, target, progress, pruned=pruned, compiler=compiler)


def publish_wheels(
    wheels: tuple[Path, ...],
    layout: StoreLayout,
    target: Target,
    progress: Progress,
    *,
    pruned: bool = True,
    compiler: str | None = None,
) -> tuple[PackageSetManifest, bool]:
    """Publish a set of these wheels; return its manifest, and True if it is new.

    `compiler`: as for `publish_set`; None: the Python that is found. Raises PackagesError or
    StoreError.
    """
    compiler = compiler or interpreter_for(target)
    described = describe_set(hash_wheels(wheels), target, pruned=pruned)
    return publish_set(described, wheels, layout, progress, compiler)


def hash_wheels(wheels: tuple[Path, ...]) -> dict[str, Digest]:
    """Return the digests of wheels by their file names."""
    digests = {}
    for path in wheels:
        with path.open("rb") as stream:
            digests[path.name] = Digest.of_stream(stream)
    return digests


def describe_set(
    digests: Mapping[str, Digest], target: Target, *, pruned: bool = True
) -> PackageSetManifest:
    """Return a set's manifest for wheels, given by file name and digest, before unpacking.

    Raises PackagesError if there is no wheel, a name is not a wheel's, or a package occurs twice.
    """
    if not digests:
        raise PackagesError("a package set needs a wheel, and there is none")
    wheels: dict[str, Wheel] = {}
    for file, digest in digests.items():
        try:
            parsed = parse_wheel_filename(file)
        except ValueError:
            raise PackagesError(f"{file!r} is no wheel's file name") from None
        name = canonical_name(parsed.distribution)
        if name in wheels:
            raise PackagesError(f"two wheels are of the package {name}: a set holds each once")
        wheels[name] = Wheel(name, parsed.version, digest)
    sorted_wheels = tuple(sorted(wheels.values()))
    return PackageSetManifest(target, sorted_wheels, 0, 0, Digest.of_bytes(b""), now(), pruned)


def find_published(layout: StoreLayout, digest: Digest) -> PackageSetManifest | None:
    """Return the set of this digest, protected from the sweep for a day; None if there is none.

    For publishers that rely on the set (unused_marks.py). Raises StoreError.
    """
    return rely_on(layout, digest)


def publish_set(
    described: PackageSetManifest,
    wheels: tuple[Path, ...],
    layout: StoreLayout,
    progress: Progress,
    compiler: str,
) -> tuple[PackageSetManifest, bool]:
    """Publish a described set from its wheels; return its manifest, and True if it is new.

    `compiler` is a Python of the target's version (interpreters.py). Raises PackagesError;
    SpaceError if the set does not fit; StoreError.
    """
    folder = layout.package_set(described.digest)
    found = find_published(layout, described.digest)
    if found:
        return found, False
    left_out = LeftOut.of_wheels(wheels, pruned=described.pruned)
    unpacked = sum(unpacked_bytes(wheel) for wheel in wheels) - left_out.size_bytes
    require_space(
        layout.root, unpacked, f"the {pluralize(len(wheels), 'unpacked wheel')} of a package set"
    )
    if left_out.files:
        size = readable_bytes(left_out.size_bytes)
        progress.step(f"leaving out {pluralize(left_out.files, 'file')} ({size}) of the wheels")
    with Staging(layout) as staging:
        staged = staging.path(_SET)
        scratch = staging.path("scratch")
        progress.step(
            f"unpacking {pluralize(len(wheels), 'wheel')}", sum(w.stat().st_size for w in wheels)
        )
        for wheel in wheels:
            with writing(f"what {wheel.name} holds", lambda: unpacked - size_of(staged, scratch)):
                unpack(
                    wheel,
                    staged,
                    scratch=scratch / wheel.name,
                    left_out=left_out.paths[wheel.name],
                )
            progress.advance(wheel.stat().st_size)
        with writing("the code of a package set", lambda: unpacked):
            write_index(staged, staged / SITE_PACKAGES, described.target, compiler, progress)
        entries = _seal_files(staged, progress)
        files = render({"format": FORMAT, "files": [entry.to_json() for entry in entries]})
        manifest = described._replace(
            left_out_files=left_out.files,
            left_out_bytes=left_out.size_bytes,
            index_digest=next(entry.digest for entry in entries if entry.path == INDEX),
            size_bytes=sum(entry.size_bytes for entry in entries),
            files=len(entries),
            files_digest=Digest.of_bytes(files),
            modules=_modules_of(wheels),
        )
        durable.write_file(staged / FILES, files)
        durable.write_file(staged / MANIFEST, manifest.render())
        try:
            staging.publish(_SET, folder)
        except OSError as error:
            # Another publisher of the same set was first: use its set.
            if error.errno not in {errno.ENOTEMPTY, errno.EEXIST}:
                raise
            return _read_manifest(folder), False
    return manifest, True


def _modules_of(wheels: tuple[Path, ...]) -> dict[str, str]:
    """Map each top-level module to the name of the package that contains it."""
    return {
        module: canonical_name(parse_wheel_filename(wheel.name).distribution)
        for wheel in wheels
        for module in top_modules_of(wheel)
    }


def list_packages(layout: StoreLayout) -> list[dict[str, Any]]:
    """Describe the sets in a store, sorted by digest."""
    if not layout.packages.is_dir():
        return []
    paths = sorted(layout.packages.glob(f"*/{MANIFEST}"))
    return [describe_packages(_read_manifest(path.parent)) for path in paths]


def _read_manifest(folder: Path) -> PackageSetManifest:
    path = folder / MANIFEST
    return PackageSetManifest.parse(path.read_bytes(), str(path))


def describe_packages(manifest: PackageSetManifest) -> dict[str, Any]:
    """Return the object that `--json` prints for a set."""
    return {
        "digest": str(manifest.digest),
        "target": manifest.target.to_json(),
        "size_bytes": manifest.size_bytes,
        "files": manifest.files,
        "pruned": manifest.pruned,
        "left_out_files": manifest.left_out_files,
        "left_out_bytes": manifest.left_out_bytes,
        "packages": {wheel.name: wheel.version for wheel in manifest.wheels},
        "created_at": manifest.created_at,
    }


def _seal_files(folder: Path, progress: Progress) -> list[FileEntry]:
    """Set every file's mode, make the file durable, and return all entries sorted by path."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    progress.step(
        f"hashing {pluralize(len(paths), 'file')}", sum(path.stat().st_size for path in paths)
    )
    entries = []
    shared = SharedProgress(progress)

    def note(path: Path) -> None:
        with path.open("rb") as stream:
            digest = Digest.of_stream(stream)
            size = stream.tell()
            os.fchmod(stream.fileno(), durable.FILE_MODE)
            os.fsync(stream.fileno())
        entries.append(FileEntry(path.relative_to(folder).as_posix(), size, digest))
        shared.advance(size)

    if len(paths) < _MANY_FILES:
        for path in paths:
            note(path)
    else:
        in_parallel(note, paths, shared)
    return sorted(entries)
