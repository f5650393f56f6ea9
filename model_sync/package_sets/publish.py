"""Publishes package sets: wheels unpacked into an immutable tree, named by its digest.

1. Get the wheels that the requirements pin, for the target, less what the runtime brings itself
   (download.py).
2. What they are, and whether they are pruned, is the set's digest: if the store has that set,
   nothing is written.
3. Unpack them into staging by `installer`, without bytecode and scripts, and without what a server
   never needs (pruning.py); make the index of their modules (index.py); note every file's size
   and digest; give all modes; fsync.
4. Rename the complete folder into place. Two who publish the same set at once make one.
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
"""From so many on, threads make files durable: a disk, as a server, takes many at a time. Measured
on two processors: 9,500 files, 650 MB, by one thread in 31-45 s, by 16 in 7-8 s. Few are not worth
it."""


def publish_packages(
    requirements: Path,
    layout: StoreLayout,
    target: Target,
    progress: Progress,
    *,
    pruned: bool = True,
    interpreter: Path | None = None,
) -> tuple[PackageSetManifest, bool]:
    """Publish the set that a requirements file pins; tell whether it is new.

    `pruned`: without what a server never needs. `interpreter`: what compiles it, if need be another
    than is found (interpreters.py). What the runtime here brings in the same version is left to it.
    Raises PackagesError or StoreError; nothing visible has changed then.
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
    """Publish a set made of these wheels; tell whether it is new. `compiler`: as of `publish_set`.

    None: the one that is found. Raises PackagesError or StoreError.
    """
    compiler = compiler or interpreter_for(target)
    described = describe_set(hash_wheels(wheels), target, pruned=pruned)
    return publish_set(described, wheels, layout, progress, compiler)


def hash_wheels(wheels: tuple[Path, ...]) -> dict[str, Digest]:
    """The digests of wheels by their file names."""
    digests = {}
    for path in wheels:
        with path.open("rb") as stream:
            digests[path.name] = Digest.of_stream(stream)
    return digests


def describe_set(
    digests: Mapping[str, Digest], target: Target, *, pruned: bool = True
) -> PackageSetManifest:
    """A set by what makes it up, its wheels' file names and digests; nothing is unpacked yet.

    Raises PackagesError: no wheel, a file name that is none of a wheel, one package twice.
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
    """The set of this digest if the store has it, for a publisher that relies on it.

    It is kept from being swept for a day (unused_marks.py). Raises StoreError.
    """
    return rely_on(layout, digest)


def publish_set(
    described: PackageSetManifest,
    wheels: tuple[Path, ...],
    layout: StoreLayout,
    progress: Progress,
    compiler: str,
) -> tuple[PackageSetManifest, bool]:
    """Publish the set that was described, of its wheels; tell whether it is new.

    `compiler` is a Python of the target's version (interpreters.py). Raises PackagesError;
    SpaceError, where it does not fit; StoreError.
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
            # Another publisher of the same set was first: its set is this set.
            if error.errno not in {errno.ENOTEMPTY, errno.EEXIST}:
                raise
            return _read_manifest(folder), False
    return manifest, True


def _modules_of(wheels: tuple[Path, ...]) -> dict[str, str]:
    """Which wheel, by its package's name, each module at the top is of."""
    return {
        module: canonical_name(parse_wheel_filename(wheel.name).distribution)
        for wheel in wheels
        for module in top_modules_of(wheel)
    }


def list_packages(layout: StoreLayout) -> list[dict[str, Any]]:
    """Describe the sets in a store, by digest."""
    if not layout.packages.is_dir():
        return []
    paths = sorted(layout.packages.glob(f"*/{MANIFEST}"))
    return [describe_packages(_read_manifest(path.parent)) for path in paths]


def _read_manifest(folder: Path) -> PackageSetManifest:
    path = folder / MANIFEST
    return PackageSetManifest.parse(path.read_bytes(), str(path))


def describe_packages(manifest: PackageSetManifest) -> dict[str, Any]:
    """A set as `--json` prints it."""
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
    """Give every file its mode, make it durable and note what it is; sorted by path."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    progress.step(
        f"noting {pluralize(len(paths), 'file')}", sum(path.stat().st_size for path in paths)
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
