"""A variant: one form of a model inside a preparation, and what was measured of it."""

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
"""The variant that is the version's own graph, as it was given."""


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

    def faster(self, other: Measurement) -> Measurement:
        """This, with the lesser of each time: what disturbs a measurement only adds to it."""
        return self._replace(
            load_ms=min(self.load_ms, other.load_ms),
            first_ms=min(self.first_ms, other.first_ms),
            warm_ms=min(self.warm_ms, other.warm_ms),
        )

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
    not loaded. `block_width`: how many floats side by side its weights are laid out for: it is
    wrong, without an error, on a processor of another; 0 where it is right on all. `recorded`: the
    chunks of its files that a cold start touches, by path; of a file that is not named, all.
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
        """Whether it was tried and found right, and its files were kept."""
        if self.refused is not None or self.measurement is None:
            return False
        return self.name == PLAIN or self.graph in {entry.path for entry in self.files}

    @property
    def measured(self) -> Measurement:
        """What was measured of it; raises DamagedError where nothing was."""
        if self.measurement is None:
            raise DamagedError(f"variant {self.name!r} was not measured")
        return self.measurement

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
            "block_width": self.block_width,
            "recorded": {
                path: [[*each] for each in ranges] for path, ranges in self.recorded.items()
            },
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
            block_width=fields.integer("block_width", minimum=0),
            recorded=parse_ranges(fields.fields("recorded")),
        )
        fields.done()
        return variant
