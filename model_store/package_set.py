"""A package set: an immutable tree of Python packages, named by its digest.

    packages/<digest's hex>/manifest.json  files.json  site-packages/  modules.idx  modules.bin

Its digest is that of what it was made of: the wheels (by name, version and digest), the target
they are for, whether what a server never needs was left out, and the number of the way of making
sets. The manifest is small, for readers; `files.json` says what every file was, for whoever
verifies the set; modules.idx and modules.bin are for imports (module_index.py).
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
"""The number of the way of making sets; part of a set's identity."""

SITE_PACKAGES: Final = "site-packages"
FILES: Final = "files.json"

_GLIBC: Final = "manylinux_2_28"


class Wheel(NamedTuple):
    """One wheel in a set."""

    name: str
    version: str
    digest: Digest

    def to_json(self) -> dict[str, Any]:
        """The form in which manifests hold it."""
        return {"name": self.name, "version": self.version, "digest": str(self.digest)}

    @classmethod
    def from_json(cls, value: object, where: str) -> Self:
        """Read what `to_json` gave; raises DamagedError."""
        fields = Fields(value, where)
        wheel = cls(fields.text("name"), fields.text("version"), fields.digest("digest"))
        fields.done()
        return wheel


class Target(NamedTuple):
    """What a set runs on: Python's minor version and a platform, as `uv` names it."""

    python: str
    platform: str

    @classmethod
    def running(cls) -> Self:
        """What this process itself is: sets for it run here."""
        machine = platform.machine()
        machine = {"arm64": "aarch64", "AMD64": "x86_64"}.get(machine, machine)
        return cls(f"{sys.version_info.major}.{sys.version_info.minor}", f"{machine}-{_GLIBC}")

    def asked(self, *, python: str | None, platform: str | None) -> Self:
        """This target, or what somebody asked for instead of its parts."""
        return self._replace(python=python or self.python, platform=platform or self.platform)

    @property
    def machine(self) -> str:
        """The platform's processor architecture: `x86_64`."""
        return self.platform.partition("-")[0]

    def to_json(self) -> dict[str, Any]:
        """The form in which manifests hold it."""
        return {"python": self.python, "platform": self.platform}

    @classmethod
    def from_fields(cls, fields: Fields) -> Self:
        """Read what `to_json` gave; raises DamagedError."""
        target = cls(fields.text("python"), fields.text("platform"))
        fields.done()
        return target


class PackageSetManifest(NamedTuple):
    """`packages/<digest>/manifest.json`. `parse(m.render(), ...) == m`, and back.

    `index_digest` is that of modules.idx; None: the set is imported without one. `left_out_*`: what
    of the wheels' files is not in the set. `modules`: which wheel, by its name, each module or
    package at the top of `site-packages` is of.
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
        """The manifest's bytes."""
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
            raise DamagedError(f"{where} is damaged: its digest does not follow from its contents")
        if not set(manifest.modules.values()).issubset(names):
            raise DamagedError(f"{where}: a module is of a wheel that it does not name")
        return manifest


def _check_builder(fields: Fields, where: str) -> None:
    """Refuse a set that was made in another way than this release makes them."""
    builder = fields.integer("builder", minimum=1)
    if builder > BUILDER:
        raise FormatTooNewError(
            f"{where} was made by builder {builder}; this release reads builder {BUILDER}: "
            "upgrade it"
        )
    if builder < BUILDER:
        raise DamagedError(
            f"{where} was made by an earlier release, of builder {builder}: publish its model again"
        )


def _modules(fields: Fields) -> dict[str, str]:
    found = {name: fields.text(name) for name in fields.names()}
    fields.done()
    return found
