"""A preparation's manifest: what was derived from a version for one runtime.

A runtime key names what a preparation was made for: the ONNX Runtime's version, the instruction
set, and the number of the way of preparing. A preparation can be made again for another runtime
without a new version. Each of its variants is one form in which the model can be loaded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self

from model_store import documents
from model_store.documents import FORMAT, Fields
from model_store.errors import DamagedError
from model_store.files import FileEntry, parse_files
from model_store.names import check_id, check_model, check_relative_path, check_runtime_key

if TYPE_CHECKING:
    from collections.abc import Mapping

    from model_store.digests import Digest

PREPARATION_FORMAT: Final = 2
"""The number of the way of preparing; part of the runtime key."""

PLAIN: Final = "plain"
"""The variant that is the version's own graph, as it was given."""


def runtime_key(onnxruntime_version: str, machine: str) -> str:
    """Name a runtime: `ort-1.32.0-x86_64-p2`."""
    machine = {"amd64": "x86_64", "arm64": "aarch64"}.get(machine.lower(), machine.lower())
    return check_runtime_key(f"ort-{onnxruntime_version}-{machine}-p{PREPARATION_FORMAT}")


class Measurement(NamedTuple):
    """What loading and running a variant took when it was prepared, in a fresh process.

    `load_ms`: opening the session, files in the page cache; `first_ms`: the first run; `warm_ms`:
    the fastest run after it (0 where nothing could be run). Memory is what the process grew by, in
    bytes: at its highest (`peak_bytes`) and after the runs (`resident_bytes`). Of the latter,
    `mapped_bytes` are pages of files, weights or code, which the kernel may drop and read again.
    """

    load_ms: float
    first_ms: float
    warm_ms: float
    peak_bytes: int
    resident_bytes: int
    mapped_bytes: int

    def to_json(self) -> dict[str, Any]:
        """The form in which manifests hold it."""
        return dict(self._asdict())

    @classmethod
    def from_fields(cls, fields: Fields) -> Self:
        """Read what `to_json` gave; raises DamagedError."""
        measurement = cls(
            load_ms=fields.number("load_ms"),
            first_ms=fields.number("first_ms"),
            warm_ms=fields.number("warm_ms"),
            peak_bytes=fields.integer("peak_bytes", minimum=0),
            resident_bytes=fields.integer("resident_bytes", minimum=0),
            mapped_bytes=fields.integer("mapped_bytes", minimum=0),
        )
        fields.done()
        if measurement.mapped_bytes > measurement.resident_bytes:
            raise DamagedError(f"{fields.where}: 'mapped_bytes' is more than 'resident_bytes'")
        return measurement


class Variant(NamedTuple):
    """One form of a model: a graph file, the options to open it with, what it needs.

    `graph` is a path in the version's folder for the plain variant, else in the preparation's.
    `optimized`: ONNX Runtime has optimized the graph already, and is not to do it again. `config`
    are its session configuration entries by their own names. `files` are all that the graph needs
    of the preparation's folder; none of the plain variant, and of one that was not kept.
    `refused`: why it cannot be chosen, in a line; None where it could. `measurement` None: it was
    not loaded.
    """

    name: str
    graph: str
    config: Mapping[str, str]
    measurement: Measurement | None
    optimized: bool = False
    files: tuple[FileEntry, ...] = ()
    refused: str | None = None

    def to_json(self) -> dict[str, Any]:
        """The form in which manifests hold it."""
        return {
            "name": self.name,
            "graph": self.graph,
            "optimized": self.optimized,
            "config": dict(self.config),
            "files": [entry.to_json() for entry in self.files],
            "measurement": self.measurement and self.measurement.to_json(),
            "refused": self.refused,
        }

    @classmethod
    def from_json(cls, value: object, where: str) -> Self:
        """Read what `to_json` gave; raises DamagedError."""
        fields = Fields(value, where)
        config = fields.mapping("config")
        if not all(isinstance(entry, str) for entry in config.values()):
            raise DamagedError(f"{where}: 'config' holds something else than strings")
        measured = not fields.is_null("measurement")
        variant = cls(
            name=fields.text("name"),
            graph=fields.name("graph", check_relative_path),
            optimized=fields.flag("optimized"),
            config={key: str(entry) for key, entry in config.items()},
            files=parse_files(fields.items("files"), f"{where}: files"),
            measurement=Measurement.from_fields(fields.fields("measurement")) if measured else None,
            refused=None if fields.is_null("refused") else fields.text("refused"),
        )
        fields.done()
        return variant


class PreparationManifest(NamedTuple):
    """`preparations/<id>/manifest.json`. `parse(m.render(), ...) == m`, and back.

    `variants` are all that were tried. The files of the chosen one are beside the manifest, and
    `why` says in a line what chose it.
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

    @property
    def variant(self) -> Variant:
        """The variant that was chosen."""
        return next(variant for variant in self.variants if variant.name == self.chosen)

    @property
    def measurement(self) -> Measurement:
        """What was measured of the variant that was chosen."""
        found = self.variant.measurement
        if found is None:
            raise DamagedError(
                f"preparation {self.id}: its variant {self.chosen!r} was not measured"
            )
        return found

    @property
    def files(self) -> tuple[FileEntry, ...]:
        """Every file beside the manifest, sorted by path."""
        return tuple(sorted({entry for each in self.variants for entry in each.files}))

    def render(self) -> bytes:
        """The manifest's bytes."""
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
        )
        fields.done()
        names = [variant.name for variant in manifest.variants]
        if names.count(manifest.chosen) != 1 or len(set(names)) != len(names):
            raise DamagedError(f"{where}: 'chosen' does not name exactly one of its variants")
        chosen = manifest.variant
        if chosen.refused is not None or chosen.measurement is None:
            raise DamagedError(f"{where}: 'chosen' names a variant that was refused")
        if chosen.name != PLAIN and chosen.graph not in {entry.path for entry in chosen.files}:
            raise DamagedError(f"{where}: the files of {chosen.name!r} lack its graph")
        return manifest
