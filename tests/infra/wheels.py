"""A package index that is a folder of small packages, and requirements that pin them."""

from __future__ import annotations

import hashlib
import io
import tarfile
import zipfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

ANY = "py3-none-any"


def make_wheel(
    index: Path, name: str, *, tag: str = ANY, needs: str = "", script: str = "", code: str = ""
) -> str:
    """Make version 1.0 of a package with one module; return the line that pins it."""
    wheel = index / f"{name}-1.0-{tag}.whl"
    about = f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n"
    if needs:
        about += f"Requires-Dist: {needs}\n"
    info = f"{name}-1.0.dist-info"
    files = {
        f"{name}.py": code or f"tag = {tag!r}\n",
        f"{info}/METADATA": about,
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nRoot-Is-Purelib: false\nTag: {tag}\n",
    }
    if script:
        files[f"{info}/entry_points.txt"] = f"[console_scripts]\n{script} = {name}:main\n"
    record = "".join(f"{path},,\n" for path in [*files, f"{info}/RECORD"])
    with zipfile.ZipFile(wheel, "w") as archive:
        for path, text in {**files, f"{info}/RECORD": record}.items():
            archive.writestr(path, text)
    return _pin(name, wheel)


def make_source(index: Path, name: str, *, runs: str) -> str:
    """Make version 1.0 of a package that must be built, by running this; return its pin."""
    source = index / f"{name}-1.0.tar.gz"
    files = {
        "PKG-INFO": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
        "pyproject.toml": "[build-system]\nrequires = []\n"
        "build-backend = 'backend'\nbackend-path = ['.']\n",
        "backend.py": f"{runs}\n",
    }
    with tarfile.open(source, "w:gz") as archive:
        for path, text in files.items():
            member = tarfile.TarInfo(f"{name}-1.0/{path}")
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text.encode()))
    return _pin(name, source)


def _pin(name: str, package: Path) -> str:
    return f"{name}==1.0 --hash=sha256:{hashlib.sha256(package.read_bytes()).hexdigest()}\n"
