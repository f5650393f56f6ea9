"""Unpacks wheels as installers do, without bytecode and without scripts; how large they become.

A wheel is a stranger's archive: what cannot be unpacked is refused in one line that names it.
"""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING

from installer import install
from installer.destinations import SchemeDictionaryDestination
from installer.sources import WheelFile

from model_store.errors import InvalidNameError
from model_store.names import check_relative_path
from model_store.package_set import SITE_PACKAGES
from model_sync.errors import FULL, PackagesError

if TYPE_CHECKING:
    from pathlib import Path


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


def unpack(wheel: Path, folder: Path, scratch: Path) -> None:
    """Unpack a wheel; its scripts, headers and data go to `scratch`.

    Raises PackagesError; OSError where the file system is full.
    """
    site = str(folder / SITE_PACKAGES)
    schemes = {"purelib": site, "platlib": site}
    schemes |= {name: str(scratch / name) for name in ("scripts", "headers", "data")}
    destination = SchemeDictionaryDestination(
        schemes,
        interpreter="/usr/bin/python3",
        script_kind="posix",
        bytecode_optimization_levels=(),
    )
    try:
        with WheelFile.open(wheel) as source:
            for (path, _, _), _, _ in source.get_contents():
                check_relative_path(path)
            install(source, destination, additional_metadata={"INSTALLER": b"coldpress\n"})
    except InvalidNameError as error:
        raise PackagesError(f"{wheel.name} writes outside its folder: {error}") from error
    except Exception as error:  # a stranger's archive: a dozen kinds, not all of them documented
        if isinstance(error, OSError) and error.errno in FULL:
            raise
        reason = " ".join(str(error).split()) or type(error).__name__
        raise PackagesError(f"{wheel.name} cannot be unpacked: {reason}") from error
