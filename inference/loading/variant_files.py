"""Files and options of the variant to load: the version's own graph, or a prepared one. Pure."""

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
    """The files of one variant, and how to open its graph.

    - `graph`: the graph's path in `folder`.
    - `files`: the variant's files in `folder`.
    - `version_files`: the other files that the version needs, in `version_folder`.
    - `config`: the session configuration entries of ONNX Runtime.
    - `optimized`: the graph is optimized already, and ONNX Runtime must not optimize it again.
    - `maps_files`: the session may map files while it runs.
    - `chunks`: the digests of the files' chunks, from the preparation.
    - `recorded`: the chunks that a cold start reads, from the preparation.
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
    """Return the plain variant: the version's own graph, which ONNX Runtime optimizes on load."""
    graph = content.model_file
    files = tuple(e for e in content.files if e.path == graph or not _is_golden(e))
    # ONNX Runtime maps external data, but reads a graph.
    maps = any(e.path.startswith(f"{SOURCE}/") and e.path != graph for e in files)
    return VariantFiles(folder, graph, files, folder, (), config, False, maps, chunks, recorded)


def files_of_variant(
    variant: Variant, folder: Path, prepared: Path, content: VersionContent, chunks: Chunks = _NONE
) -> VariantFiles:
    """Return a variant of the version in `folder`; its preparation is in the folder `prepared`."""
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
