"""A variant: one way to load a version (graph file, session options), and its measurement."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self

from model_store.chunks import parse_ranges
from model_store.documents import Fields
from model_store.errors import DamagedError
from model_store.files import FileEntry, parse_files
from model_store.names import check_relative_path

if TYPE_CHECKING:
    from collections.abc import Mapping

    from model_store.chunks import ChunkRanges

PLAIN: Final = "plain"
"""The name of the variant that is the version's own, unchanged graph."""


class Measurement(NamedTuple):
    """Cost of loading and running a variant, measured during preparation in a fresh process.

    - `load_ms`: opening the session, with its files in the page cache.
    - `first_ms`: the first run. `warm_ms`: the fastest later run; 0 if nothing could be run.
    - `peak_bytes`, `resident_bytes`: the process's growth, at its peak and after the runs.
    - `mapped_bytes`: the part of `resident_bytes` in pages of files (weights, code), which the
      kernel may drop and read again.
    """

    load_ms: float
    first_ms: float
    warm_ms: float
    peak_bytes: int
    resident_bytes: int
    mapped_bytes: int

    def faster(self, other: Measurement) -> Measurement:
        """Return this with the lesser of each time: disturbances only add to a time."""
        return self._replace(
            load_ms=min(self.load_ms, other.load_ms),
            first_ms=min(self.first_ms, other.first_ms),
            warm_ms=min(self.warm_ms, other.warm_ms),
        )

    def to_json(self) -> dict[str, Any]:
        """Return the JSON value that manifests hold."""
        return dict(self._asdict())

    @classmethod
    def from_fields(cls, fields: Fields) -> Self:
        """Read a value from `to_json`; raises DamagedError."""
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
    """One way to load a version: a graph file, the options to open it with, and its cost.

    - `graph`: a path in the version's folder for the plain variant, else in the preparation's.
    - `optimized`: ONNX Runtime has optimized the graph already and must not do it again.
    - `config`: session configuration entries, by ONNX Runtime's names.
    - `files`: the files in the preparation's folder; empty for the plain variant, and if not kept.
    - `refused`: why the variant cannot be chosen, in one line; None if it can.
    - `measurement`: None if the variant was not loaded.
    - `block_width`: the block width, in floats, of the weights' layout. On a processor with another
      width, outputs are wrong without an error. 0: correct on all.
    - `recorded`: the chunks of its files that a cold start reads, by path; all chunks if a file has
      no entry.
    """

    name: str
    graph: str
    config: Mapping[str, str]
    measurement: Measurement | None
    optimized: bool = False
    files: tuple[FileEntry, ...] = ()
    refused: str | None = None
    block_width: int = 0
    recorded: Mapping[str, ChunkRanges] = MappingProxyType({})

    @property
    def can_be_opened(self) -> bool:
        """True if the variant passed its trial and its files were kept."""
        if self.refused is not None or self.measurement is None:
            return False
        return self.name == PLAIN or self.graph in {entry.path for entry in self.files}

    @property
    def measured(self) -> Measurement:
        """The measurement; raises DamagedError if there is none."""
        if self.measurement is None:
            raise DamagedError(f"variant {self.name!r} was not measured")
        return self.measurement

    def to_json(self) -> dict[str, Any]:
        """Return the JSON value that manifests hold."""
        return {
            "name": self.name,
            "graph": self.graph,
            "optimized": self.optimized,
            "config": dict(self.config),
            "files": [entry.to_json() for entry in self.files],
            "measurement": self.measurement and self.measurement.to_json(),
            "refused": self.refused,
            "block_width": self.block_width,
            "recorded": {
                path: [[*each] for each in ranges] for path, ranges in self.recorded.items()
            },
        }

    @classmethod
    def from_json(cls, value: object, where: str) -> Self:
        """Read a value from `to_json`; raises DamagedError."""
        fields = Fields(value, where)
        config = fields.mapping("config")
        if not all(isinstance(entry, str) for entry in config.values()):
            raise DamagedError(f"{where}: 'config' holds a value that is not a string")
        measured = not fields.is_null("measurement")
        variant = cls(
            name=fields.text("name"),
            graph=fields.name("graph", check_relative_path),
            optimized=fields.flag("optimized"),
            config={key: str(entry) for key, entry in config.items()},
            files=parse_files(fields.items("files"), f"{where}: files"),
            measurement=Measurement.from_fields(fields.fields("measurement")) if measured else None,
            refused=None if fields.is_null("refused") else fields.text("refused"),
            block_width=fields.integer("block_width", minimum=0),
            recorded=parse_ranges(fields.fields("recorded")),
        )
        fields.done()
        return variant
