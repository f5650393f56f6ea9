"""Real wheels of a few bytes, and requirements that pin them."""

from __future__ import annotations

import hashlib
import zipfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def write_wheel(
    folder: Path,
    name: str,
    *,
    version: str = "1.0",
    tag: str = "py3-none-any",
    files: Mapping[str, str | bytes] | None = None,
    entry_points: str = "",
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
    members[f"{info}/METADATA"] = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
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
    """A requirements file that pins wheels by their hashes."""
    lines = []
    for wheel in wheels:
        name, version, *_ = wheel.name.split("-")
        digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
        lines.append(f"{name}=={version} --hash=sha256:{digest}\n")
    path.write_text("".join(lines))
    return path
