"""The form in which a version is opened: its own graph, or one that was prepared from it. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from model_store.layout import GOLDEN, SOURCE
from model_store.variant import PLAIN

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from model_store.files import FileEntry
    from model_store.variant import Variant
    from model_store.version import VersionContent


class Form(NamedTuple):
    """A graph to open, and the files that it is made of.

    `files` lie in `folder`, and so does `graph`, a path in it. `version_files` lie in the version's
    folder: what is needed of it besides. `optimized`: ONNX Runtime is to take the graph as it is.
    `config` are its session configuration entries. `maps_files`: it may map files while it runs.
    """

    folder: Path
    graph: str
    files: tuple[FileEntry, ...]
    version_files: tuple[FileEntry, ...]
    config: Mapping[str, str]
    optimized: bool
    maps_files: bool


def plain_form(folder: Path, content: VersionContent, config: Mapping[str, str]) -> Form:
    """The version's own graph, in its folder, optimized by ONNX Runtime as it is opened."""
    graph = content.model_file
    files = tuple(e for e in content.files if e.path == graph or not _is_golden(e))
    # ONNX Runtime maps external data, and reads a graph.
    maps = any(e.path.startswith(f"{SOURCE}/") and e.path != graph for e in files)
    return Form(folder, graph, files, (), config, optimized=False, maps_files=maps)


def form_of(variant: Variant, folder: Path, prepared: Path, content: VersionContent) -> Form:
    """A variant, of a preparation in the folder `prepared`, of the version in `folder`."""
    if variant.name == PLAIN:
        return plain_form(folder, content, variant.config)
    return Form(
        prepared,
        variant.graph,
        variant.files,
        tuple(e for e in content.files if not _is_golden(e) and not _is_source(e)),
        variant.config,
        optimized=variant.optimized,
        maps_files=len(variant.files) > 1,
    )


def _is_golden(entry: FileEntry) -> bool:
    return entry.path.startswith(f"{GOLDEN}/")


def _is_source(entry: FileEntry) -> bool:
    return entry.path.startswith(f"{SOURCE}/")
