"""Real wheels of a few bytes, and requirements that pin them."""

from __future__ import annotations

import hashlib
import os
import zipfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import pytest


def write_wheel(
    folder: Path,
    name: str,
    *,
    version: str = "1.0",
    tag: str = "py3-none-any",
    files: Mapping[str, str | bytes] | None = None,
    entry_points: str = "",
    needs: str = "",
    record: bool = True,
    kinds: Mapping[str, int] | None = None,
) -> Path:
    """A wheel with a module of its name, or with these files by their paths in it.

    `kinds`: paths of what is no file, and what it is instead, as `stat` says it.
    """
    info = f"{name}-{version}.dist-info"
    members: dict[str, str | bytes] = (
        dict(files) if files is not None else {f"{name}/__init__.py": f"NAME = {name!r}\n"}
    )
    about = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    members[f"{info}/METADATA"] = about + (f"Requires-Dist: {needs}\n" if needs else "")
    members[f"{info}/WHEEL"] = f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tag}\n"
    if entry_points:
        members[f"{info}/entry_points.txt"] = entry_points
    if record:
        members[f"{info}/RECORD"] = "".join(f"{path},,\n" for path in [*members, f"{info}/RECORD"])
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}-{version}-{tag}.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for member, text in members.items():
            place = zipfile.ZipInfo(member)  # of 1980, so that the same wheel has the same digest
            place.external_attr = 0o100755 << 16
            archive.writestr(place, text)
        for member, kind in (kinds or {}).items():
            place = zipfile.ZipInfo(member)
            place.external_attr = (kind | 0o777) << 16
            archive.writestr(place, "../../../etc/passwd")
    return path


def write_requirements(path: Path, *wheels: Path) -> Path:
    """Write a requirements file that pins wheels by their hashes."""
    path.write_text("".join(pin(wheel) for wheel in wheels))
    return path


def pin(package: Path) -> str:
    """Return the line of a requirements file that pins a package by its hash."""
    name, version, *_ = package.name.removesuffix(".tar.gz").split("-")
    digest = hashlib.sha256(package.read_bytes()).hexdigest()
    return f"{name}=={version} --hash=sha256:{digest}\n"


def offer_wheels(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Let pip find only the wheels in this folder."""
    for name, value in registry_of(folder).items():
        monkeypatch.setenv(name, value)


def registry_of(folder: Path) -> dict[str, str]:
    """Return the environment variables by which pip finds only the wheels in this folder."""
    return {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(folder), "PIP_CONFIG_FILE": os.devnull}
