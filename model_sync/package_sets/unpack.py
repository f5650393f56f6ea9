"""Unpack wheels as installers do, without bytecode and scripts; compute their unpacked size.

Wheels are untrusted archives: a wheel that cannot be unpacked is refused with a one-line error that
names it. Each RECORD is rewritten to the files in the set, so that `importlib.metadata` lists no
missing file.
"""

from __future__ import annotations

import stat
import zipfile
from typing import TYPE_CHECKING, Final

from installer import install
from installer.destinations import SchemeDictionaryDestination
from installer.sources import WheelFile

from model_store.errors import InvalidNameError
from model_store.names import check_relative_path
from model_store.package_set import SITE_PACKAGES
from model_sync.errors import FULL, PackagesError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator
    from pathlib import Path

    from installer.records import RecordEntry
    from installer.sources import WheelContentElement
    from installer.utils import Scheme

_IN_THE_SET: Final = frozenset({"purelib", "platlib"})


def unpacked_bytes(wheel: Path) -> int:
    """Return the unpacked size that a wheel's table of contents states; 0 if it is no archive.

    Unpacking refuses a file that is no archive.
    """
    try:
        with zipfile.ZipFile(wheel) as archive:
            return sum(entry.file_size for entry in archive.infolist())
    except (zipfile.BadZipFile, ValueError, NotImplementedError):
        return 0


def size_of(*folders: Path) -> int:
    """Return the total size of the files below these folders; a folder may be missing."""
    paths = (path for folder in folders for path in folder.rglob("*"))
    return sum(path.stat().st_size for path in paths if path.is_file())


def unpack(
    wheel: Path, folder: Path, scratch: Path, *, left_out: Collection[str] = frozenset()
) -> None:
    """Unpack a wheel except the paths in `left_out`; its scripts and data go to `scratch`.

    Raises PackagesError; OSError if the file system is full.
    """
    site = str(folder / SITE_PACKAGES)
    schemes = {"purelib": site, "platlib": site}
    schemes |= {name: str(scratch / name) for name in ("scripts", "headers", "data")}
    destination = _SetDestination(
        schemes,
        interpreter="/usr/bin/python3",
        script_kind="posix",
        bytecode_optimization_levels=(),
    )
    try:
        with zipfile.ZipFile(wheel) as archive:
            _check_entries(archive)
            source = _PrunedWheel(archive, left_out)
            install(source, destination, additional_metadata={"INSTALLER": b"coldpress\n"})
    except InvalidNameError as error:
        raise PackagesError(f"{wheel.name} writes outside its folder: {error}") from error
    except PackagesError as error:
        raise PackagesError(f"{wheel.name} cannot be unpacked: {error}") from None
    except Exception as error:  # untrusted archives raise many, partly undocumented, errors
        if isinstance(error, OSError) and error.errno in FULL:
            raise
        reason = " ".join(str(error).split()) or type(error).__name__
        raise PackagesError(f"{wheel.name} cannot be unpacked: {reason}") from error


class _PrunedWheel(WheelFile):
    """A wheel for `installer`, without the files that are left out."""

    def __init__(self, archive: zipfile.ZipFile, left_out: Collection[str]) -> None:
        super().__init__(archive)
        self._left_out = left_out

    def get_contents(self) -> Iterator[WheelContentElement]:
        """Yield the other files."""
        for element in super().get_contents():
            if element[0][0] not in self._left_out:
                yield element


class _SetDestination(SchemeDictionaryDestination):
    """Destination of `installer`. RECORD omits scripts, headers and data, which are not kept."""

    def finalize_installation(
        self,
        scheme: Scheme,
        record_file_path: str,
        records: Iterable[tuple[Scheme, RecordEntry]],
    ) -> None:
        """Write RECORD."""
        kept = [(place, record) for place, record in records if place in _IN_THE_SET]
        super().finalize_installation(scheme, record_file_path, kept)


def _check_entries(archive: zipfile.ZipFile) -> None:
    """Refuse an archive with paths that lead out of its folder, or with links or special files.

    `installer` would write a link as a file with the link's target as its text.
    """
    for entry in archive.infolist():
        name = entry.filename.removesuffix("/") if entry.is_dir() else entry.filename
        check_relative_path(name)
        kind = stat.S_IFMT(entry.external_attr >> 16)
        if kind not in {0, stat.S_IFREG, stat.S_IFDIR}:
            what = "a link" if kind == stat.S_IFLNK else "neither a file nor a folder"
            raise PackagesError(f"{name!r} is {what}")
