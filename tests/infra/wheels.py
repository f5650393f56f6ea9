"""A package index that is a folder of small packages, and requirements that pin them."""

from __future__ import annotations

import io
import tarfile
from typing import TYPE_CHECKING

from tests.support.wheels import pin, write_wheel

if TYPE_CHECKING:
    from pathlib import Path

ANY = "py3-none-any"


def make_wheel(
    index: Path, name: str, *, tag: str = ANY, needs: str = "", script: str = "", code: str = ""
) -> str:
    """Make version 1.0 of a package with one module; return the line that pins it."""
    wheel = write_wheel(
        index,
        name,
        tag=tag,
        files={f"{name}.py": code or f"tag = {tag!r}\n"},
        entry_points=f"[console_scripts]\n{script} = {name}:main\n" if script else "",
        needs=needs,
    )
    return pin(wheel)


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
    return pin(source)
