"""Unpacks wheels as installers do, without bytecode and without scripts; how large they become.

A wheel is a stranger's archive: what cannot be unpacked is refused in one line that names it. A
wheel's RECORD lists what of it is in the set, so that `importlib.metadata` names no other file.
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
    """How many bytes a wheel's table of contents says that it holds; 0 for what is no archive.

    What is no archive is refused where it is unpacked.
    """
    try:
        with zipfile.ZipFile(wheel) as archive:
            return sum(entry.file_size for entry in archive.infolist())
    except (zipfile.BadZipFile, ValueError, NotImplementedError):
        return 0


def size_of(*folders: Path) -> int:
    """How many bytes the files below these folders have; a folder may be missing."""
    paths = (path for folder in folders for path in folder.rglob("*"))
    return sum(path.stat().st_size for path in paths if path.is_file())


def unpack(
    wheel: Path, folder: Path, scratch: Path, *, left_out: Collection[str] = frozenset()
) -> None:
    """Unpack a wheel but for `left_out`, paths in it; its scripts and data go to `scratch`.

    Raises PackagesError; OSError where the file system is full.
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
    except Exception as error:  # a stranger's archive: a dozen kinds, not all of them documented
        if isinstance(error, OSError) and error.errno in FULL:
            raise
        reason = " ".join(str(error).split()) or type(error).__name__
        raise PackagesError(f"{wheel.name} cannot be unpacked: {reason}") from error


class _PrunedWheel(WheelFile):
    """A wheel as `installer` reads it, without what is left out."""

    def __init__(self, archive: zipfile.ZipFile, left_out: Collection[str]) -> None:
        super().__init__(archive)
        self._left_out = left_out

    def get_contents(self) -> Iterator[WheelContentElement]:
        """Everything else."""
        for element in super().get_contents():
            if element[0][0] not in self._left_out:
                yield element


class _SetDestination(SchemeDictionaryDestination):
    """Where `installer` writes. RECORD lists no scripts, headers and data: they do not stay."""

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
    """Refuse an archive with paths that lead elsewhere, or that holds what is no file.

    `installer` would write a link as a file that holds the link's text.
    """
    for entry in archive.infolist():
        name = entry.filename.removesuffix("/") if entry.is_dir() else entry.filename
        check_relative_path(name)
        kind = stat.S_IFMT(entry.external_attr >> 16)
        if kind not in {0, stat.S_IFREG, stat.S_IFDIR}:
            what = "a link" if kind == stat.S_IFLNK else "neither a file nor a folder"
            raise PackagesError(f"{name!r} is {what}")
