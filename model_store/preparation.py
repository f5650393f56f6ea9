"""The manifest of a preparation: files derived from a version for one runtime.

A runtime key names the target of a preparation: ONNX Runtime's version, the instruction set, and
the number of the way to prepare. A version can be prepared for another runtime at any time, without
a new version. Each variant in a preparation is one way to load the model.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, Self

from model_store import documents
from model_store.chunks import parse_chunks
from model_store.documents import FORMAT
from model_store.errors import DamagedError
from model_store.names import check_id, check_model, check_runtime_key
from model_store.recorded_imports import parse_recorded
from model_store.variant import PLAIN, Variant

if TYPE_CHECKING:
    from model_store.chunks import Chunks
    from model_store.digests import Digest
    from model_store.files import FileEntry
    from model_store.recorded_imports import RecordedFile
    from model_store.variant import Measurement

PREPARATION_FORMAT: Final = 4
"""Number of the way to prepare; part of the runtime key."""


def runtime_key(onnxruntime_version: str, machine: str) -> str:
    """Return a runtime's name: `ort-1.32.0-x86_64-p4`."""
    machine = {"amd64": "x86_64", "arm64": "aarch64"}.get(machine.lower(), machine.lower())
    return check_runtime_key(f"ort-{onnxruntime_version}-{machine}-p{PREPARATION_FORMAT}")


class PreparationManifest(NamedTuple):
    """`preparations/<id>/manifest.json`; `parse` and `render` are exact inverses.

    - `variants`: all variants that were tried.
    - `chosen`: the variant to load first. `why`: the reason for that choice, in one line.
    - `replacement`: the variant that takes over once calls come; None if none does.
    - `chunks`: digests of the chunks of each file of several chunks that a variant opens, by its
      path in its folder (the preparation's, or the version's).
    - `imports`: files of the package set and their blocks that imports used, in order of first
      use; empty if the version pins no set, or if nothing was recorded.

    The files of kept variants are beside the manifest.
    """

    model: str
    id: str
    version_id: str
    version_digest: Digest
    runtime: str
    created_at: str
    chosen: str
    why: str
    variants: tuple[Variant, ...]
    replacement: str | None
    chunks: Chunks
    imports: tuple[RecordedFile, ...] = ()

    @property
    def variant(self) -> Variant:
        """The chosen variant."""
        return self.named(self.chosen)

    def named(self, name: str) -> Variant:
        """Return the variant of this name, which must exist."""
        return next(variant for variant in self.variants if variant.name == name)

    def fitting(self, block_width: int) -> Variant:
        """Return the variant for a processor's block width (inference/loading/cpu.py; 0: unknown).

        It is the chosen one if that computes correctly there, else one that is correct everywhere:
        another prepared variant if possible, and plain last.
        """
        for variant in (self.variant, *sorted(self.variants, key=lambda each: each.name == PLAIN)):
            if variant.can_be_opened and variant.block_width in {0, block_width}:
                return variant
        raise DamagedError(f"preparation {self.id} has no variant that fits this processor")

    def replacement_for(self, block_width: int) -> Variant | None:
        """Return the replacement of the variant from `fitting`; None if there is none."""
        variant = self.replacement and self.named(self.replacement)
        if not variant or self.fitting(block_width).name != self.chosen:
            return None
        return variant if variant.block_width in {0, block_width} else None

    @property
    def measurement(self) -> Measurement:
        """The chosen variant's measurement."""
        return self.variant.measured

    @property
    def files(self) -> tuple[FileEntry, ...]:
        """Every file beside the manifest, sorted by path."""
        return tuple(sorted({entry for each in self.variants for entry in each.files}))

    def render(self) -> bytes:
        """Return the manifest's bytes."""
        return documents.render(
            {
                "format": FORMAT,
                "model": self.model,
                "id": self.id,
                "version_id": self.version_id,
                "version_digest": str(self.version_digest),
                "runtime": self.runtime,
                "created_at": self.created_at,
                "chosen": self.chosen,
                "why": self.why,
                "variants": [variant.to_json() for variant in self.variants],
                "replacement": self.replacement,
                "chunks": {path: list(digests) for path, digests in self.chunks.items()},
                "imports": [each.to_json() for each in self.imports],
            }
        )

    @classmethod
    def parse(cls, data: bytes, where: str) -> Self:
        """Read a manifest; raises DamagedError or FormatTooNewError."""
        fields = documents.open_document(data, where)
        manifest = cls(
            model=fields.name("model", check_model),
            id=fields.name("id", check_id),
            version_id=fields.name("version_id", check_id),
            version_digest=fields.digest("version_digest"),
            runtime=fields.name("runtime", check_runtime_key),
            created_at=fields.time("created_at"),
            chosen=fields.text("chosen"),
            why=fields.text("why"),
            variants=tuple(
                Variant.from_json(item, f"{where}: variants") for item in fields.items("variants")
            ),
            replacement=None if fields.is_null("replacement") else fields.text("replacement"),
            chunks=parse_chunks(fields.fields("chunks")),
            imports=parse_recorded(fields.items("imports"), f"{where}: imports"),
        )
        fields.done()
        manifest._check(where)
        return manifest

    def _check(self, where: str) -> None:
        names = [variant.name for variant in self.variants]
        if len(set(names)) != len(names):
            raise DamagedError(f"{where}: two variants have the same name")
        for key, name in {"chosen": self.chosen, "replacement": self.replacement}.items():
            if name is None:
                continue
            if name not in names:
                raise DamagedError(f"{where}: {key!r} names none of its variants")
            variant = self.named(name)
            if variant.refused is not None or variant.measurement is None:
                raise DamagedError(f"{where}: {key!r} names a variant that was refused")
            if not variant.can_be_opened:
                raise DamagedError(f"{where}: the files of {name!r} lack its graph")
