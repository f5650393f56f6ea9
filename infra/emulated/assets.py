"""Uploads of a cloud assembly: its folders, and their objects as the template names them."""

from __future__ import annotations

import json
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from infra.emulated.cloud import ACCOUNT, REGION

if TYPE_CHECKING:
    from pathlib import Path

_IS_HERE: Final = {
    "${AWS::AccountId}": ACCOUNT,
    "${AWS::Region}": REGION,
    "${AWS::Partition}": "aws",
}
_EXECUTABLE: Final = 0o100755 << 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Asset:
    """A folder of the assembly, and the bucket and key of its object."""

    folder: Path
    bucket: str
    key: str

    def pack(self, to: Path, bootstrap: str | None = None) -> None:
        """Write the folder's zip; `bootstrap` is added as an executable file of that name.

        Not compressed: MiniStack is on this machine, and layers are 200 MB.
        """
        with zipfile.ZipFile(to, "w") as packed:
            for path in sorted(each for each in self.folder.rglob("*") if each.is_file()):
                packed.write(path, path.relative_to(self.folder))
            if bootstrap is not None:
                entry = zipfile.ZipInfo("bootstrap")
                entry.external_attr = _EXECUTABLE
                packed.writestr(entry, bootstrap)


def read_assets(assembly: Path, stack: str) -> list[Asset]:
    """List the folders that an assembly uploads for a stack (not its template, a file)."""
    files = json.loads((assembly / f"{stack}.assets.json").read_text("utf-8"))["files"]
    return [
        Asset(
            folder=assembly / each["source"]["path"],
            bucket=_said_here(destination["bucketName"]),
            key=_said_here(destination["objectKey"]),
        )
        for each in files.values()
        if each["source"]["packaging"] == "zip"
        for destination in each["destinations"].values()
    ]


def _said_here(text: str) -> str:
    for placeholder, value in _IS_HERE.items():
        text = text.replace(placeholder, value)
    return text
