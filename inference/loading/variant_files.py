"""The form in which a version is opened: its own graph, or one that was prepared from it. Pure."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from model_store.layout import GOLDEN, SOURCE
from model_store.variant import PLAIN

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from model_store.chunks import ChunkRanges, Chunks
    from model_store.files import FileEntry
    from model_store.variant import Variant
    from model_store.version import VersionContent


_NONE: Final[Mapping[str, Any]] = MappingProxyType({})


class VariantFiles(NamedTuple):
    """A graph to open, and the files that it is made of.

    `files` lie in `folder`, and so does `graph`, a path in it. `version_files` lie in
    `version_folder`: what is needed of the version besides. `optimized`: ONNX Runtime is to take
    the graph as it is. `config` are its session configuration entries. `maps_files`: it may map
    files while it runs. `chunks` and `recorded` are what the preparation says of the files: the
    digests of their chunks, and which of these a cold start touches.
    """

    folder: Path
    graph: str
    files: tuple[FileEntry, ...]
    version_folder: Path
    version_files: tuple[FileEntry, ...]
    config: Mapping[str, str]
    optimized: bool
    maps_files: bool
    chunks: Chunks = _NONE
    recorded: Mapping[str, ChunkRanges] = _NONE


def files_of_plain(
    folder: Path,
    content: VersionContent,
    config: Mapping[str, str],
    chunks: Chunks = _NONE,
    recorded: Mapping[str, ChunkRanges] = _NONE,
) -> VariantFiles:
    """The version's own graph, in its folder, optimized by ONNX Runtime as it is opened."""
    graph = content.model_file
    files = tuple(e for e in content.files if e.path == graph or not _is_golden(e))
    # ONNX Runtime maps external data, and reads a graph.
    maps = any(e.path.startswith(f"{SOURCE}/") and e.path != graph for e in files)
    return VariantFiles(folder, graph, files, folder, (), config, False, maps, chunks, recorded)


def files_of_variant(
    variant: Variant, folder: Path, prepared: Path, content: VersionContent, chunks: Chunks = _NONE
) -> VariantFiles:
    """A variant, of a preparation in the folder `prepared`, of the version in `folder`."""
    if variant.name == PLAIN:
        return files_of_plain(folder, content, variant.config, chunks, variant.recorded)
    return VariantFiles(
        prepared,
        variant.graph,
        variant.files,
        folder,
        tuple(e for e in content.files if not _is_golden(e) and not _is_source(e)),
        variant.config,
        optimized=variant.optimized,
        maps_files=len(variant.files) > 1,
        chunks=chunks,
        recorded=variant.recorded,
    )


def _is_golden(entry: FileEntry) -> bool:
    return entry.path.startswith(f"{GOLDEN}/")


def _is_source(entry: FileEntry) -> bool:
    return entry.path.startswith(f"{SOURCE}/")
