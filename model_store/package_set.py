"""A package set: an immutable tree of Python packages, named by its digest.

    packages/<digest's hex>/manifest.json  files.json  site-packages/  modules.idx  modules.bin

The digest covers the set's ingredients: the wheels (name, version and digest), the target, whether
files that servers never need were left out, and the builder's number. The manifest is small, for
readers. `files.json` lists every file, for verification. modules.idx and modules.bin serve imports
(module_index.py).
"""

from __future__ import annotations

import platform
import sys
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self

from model_store import documents
from model_store.digests import Digest
from model_store.documents import FORMAT, Fields
from model_store.errors import DamagedError, FormatTooNewError

if TYPE_CHECKING:
    from collections.abc import Mapping

BUILDER: Final = 4
"""Number of the way to build sets; part of a set's identity."""

SITE_PACKAGES: Final = "site-packages"
FILES: Final = "files.json"

_GLIBC: Final = "manylinux_2_28"


class Wheel(NamedTuple):
    """One wheel in a set."""

    name: str
    version: str
    digest: Digest

    def to_json(self) -> dict[str, Any]:
        """Return the JSON value that manifests hold."""
        return {"name": self.name, "version": self.version, "digest": str(self.digest)}

    @classmethod
    def from_json(cls, value: object, where: str) -> Self:
        """Read a value from `to_json`; raises DamagedError."""
        fields = Fields(value, where)
        wheel = cls(fields.text("name"), fields.text("version"), fields.digest("digest"))
        fields.done()
        return wheel


class Target(NamedTuple):
    """The platform of a set: Python's minor version and a platform's name, as `uv` spells it."""

    python: str
    platform: str

    @classmethod
    def running(cls) -> Self:
        """Return the target of this process."""
        machine = platform.machine()
        machine = {"arm64": "aarch64", "AMD64": "x86_64"}.get(machine, machine)
        return cls(f"{sys.version_info.major}.{sys.version_info.minor}", f"{machine}-{_GLIBC}")

    def override(self, *, python: str | None, platform: str | None) -> Self:
        """Return this target with the given parts replaced."""
        return self._replace(python=python or self.python, platform=platform or self.platform)

    @property
    def machine(self) -> str:
        """The platform's processor architecture: `x86_64`."""
        return self.platform.partition("-")[0]

    def to_json(self) -> dict[str, Any]:
        """Return the JSON value that manifests hold."""
        return {"python": self.python, "platform": self.platform}

    @classmethod
    def from_fields(cls, fields: Fields) -> Self:
        """Read a value from `to_json`; raises DamagedError."""
        target = cls(fields.text("python"), fields.text("platform"))
        fields.done()
        return target


class PackageSetManifest(NamedTuple):
    """`packages/<digest>/manifest.json`; `parse` and `render` are exact inverses.

    - `index_digest`: the digest of modules.idx; None if the set is imported without an index.
    - `left_out_files`, `left_out_bytes`: the wheels' files that are not in the set.
    - `modules`: the wheel's name of each module or package at the top of `site-packages`.
    """

    target: Target
    wheels: tuple[Wheel, ...]
    """Sorted by name, each name once."""
    size_bytes: int
    files: int
    files_digest: Digest
    created_at: str
    pruned: bool = True
    left_out_files: int = 0
    left_out_bytes: int = 0
    index_digest: Digest | None = None
    modules: Mapping[str, str] = MappingProxyType({})

    @property
    def digest(self) -> Digest:
        """The set's identity."""
        made_of = {
            "builder": BUILDER,
            "pruned": self.pruned,
            "target": self.target.to_json(),
            "wheels": [wheel.to_json() for wheel in self.wheels],
        }
        return Digest.of_bytes(documents.render(made_of))

    def render(self) -> bytes:
        """Return the manifest's bytes."""
        return documents.render(
            {
                "format": FORMAT,
                "digest": str(self.digest),
                "builder": BUILDER,
                "pruned": self.pruned,
                "left_out_files": self.left_out_files,
                "left_out_bytes": self.left_out_bytes,
                "index_digest": str(self.index_digest) if self.index_digest else None,
                "modules": dict(self.modules),
                "target": self.target.to_json(),
                "wheels": [wheel.to_json() for wheel in self.wheels],
                "size_bytes": self.size_bytes,
                "files": self.files,
                "files_digest": str(self.files_digest),
                "created_at": self.created_at,
            }
        )

    @classmethod
    def parse(cls, data: bytes, where: str) -> Self:
        """Read a manifest; raises DamagedError or FormatTooNewError."""
        fields = documents.open_document(data, where)
        _check_builder(fields, where)
        wheels = tuple(Wheel.from_json(item, f"{where}: wheels") for item in fields.items("wheels"))
        manifest = cls(
            target=Target.from_fields(fields.fields("target")),
            wheels=wheels,
            size_bytes=fields.integer("size_bytes", minimum=0),
            files=fields.integer("files", minimum=0),
            files_digest=fields.digest("files_digest"),
            created_at=fields.time("created_at"),
            pruned=fields.flag("pruned"),
            left_out_files=fields.integer("left_out_files", minimum=0),
            left_out_bytes=fields.integer("left_out_bytes", minimum=0),
            index_digest=(
                None if fields.is_null("index_digest") else fields.digest("index_digest")
            ),
            modules=_modules(fields.fields("modules")),
        )
        digest = fields.digest("digest")
        fields.done()
        names = [wheel.name for wheel in wheels]
        if names != sorted(set(names)):
            raise DamagedError(f"{where}: wheels are not sorted by name, or name one twice")
        if digest != manifest.digest:
            raise DamagedError(f"{where} is damaged: its contents do not match its digest")
        if not set(manifest.modules.values()).issubset(names):
            raise DamagedError(f"{where}: 'modules' names a wheel that the set does not have")
        return manifest


def _check_builder(fields: Fields, where: str) -> None:
    """Refuse a set that another builder than this release's has built."""
    builder = fields.integer("builder", minimum=1)
    if builder > BUILDER:
        raise FormatTooNewError(
            f"{where} was made by builder {builder}; this release reads builder {BUILDER}: "
            "upgrade it"
        )
    if builder < BUILDER:
        raise DamagedError(
            f"{where} was made by builder {builder} of an earlier release: publish its model again"
        )


def _modules(fields: Fields) -> dict[str, str]:
    modules = {name: fields.text(name) for name in fields.names()}
    fields.done()
    return modules
