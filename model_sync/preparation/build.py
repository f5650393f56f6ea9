"""Prepare a version for this runtime: make variants of its graph, measure each, keep the best.

    plain        the graph as published, optimized each time it is opened
    portable     optimized once, here; weights are packed for the processor when it is opened
    mapped       the same files as portable; weights are used unpacked, in the mapped file
    wide         optimized once, convolutions laid out for this kind of processor
                 (graphs/blocked_layout.py)
    wide-mapped  the same files as wide; weights are used unpacked

A graph of less than 1 MiB opens in a few milliseconds in any variant, so only plain is tried. The
weights of less than 8 MiB are packed equally fast, so no unpacked variant is tried, and publishing
stays quick. A graph without convolutions has no wide variant. Readers compute the block width of
their processor themselves (inference/loading/cpu.py); the wide variants are refused if ONNX Runtime
used another width here.

choose.py chooses the variant. All measurements are in the preparation's manifest.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from typing import TYPE_CHECKING, Final

from inference.loading.cpu import block_width
from model_store.chunks import CHUNK_BYTES, digest_chunks
from model_store.documents import now
from model_store.files import FileEntry, open_beneath
from model_store.layout import GOLDEN, MANIFEST, SOURCE
from model_store.names import new_id
from model_store.preparation import PreparationManifest
from model_store.variant import PLAIN, Variant
from model_sync.errors import OutOfTimeError, TrialError
from model_sync.graphs import blocked_layout
from model_sync.graphs.optimizer import EXTENDED, GRAPH, HIGHEST, optimize
from model_sync.preparation.choose import choose, doubtful
from model_sync.preparation.trial import try_version
from model_sync.store_io import durable
from model_sync.store_io.disk_space import require_space
from model_sync.time_limit import NO_LIMIT

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from model_store.layout import StoreLayout
    from model_store.recorded_imports import RecordedFile
    from model_store.version import VersionManifest
    from model_sync.progress import Progress
    from model_sync.store_io.staging import Staging
    from model_sync.time_limit import TimeLimit

_LEAST_BYTES: Final = 1 << 20
_LEAST_UNPACKED_BYTES: Final = 8 << 20

PORTABLE: Final = "portable"
MAPPED: Final = "mapped"
WIDE: Final = "wide"
WIDE_MAPPED: Final = "wide-mapped"

_REPEATS: Final = 2
"""How often doubtful variants are measured again."""

_UNPACKED: Final = {"session.disable_prepacking": "1"}
_VARIANTS: Final[dict[str, dict[str, Mapping[str, str]]]] = {
    PORTABLE: {PORTABLE: {}, MAPPED: _UNPACKED},
    WIDE: {WIDE: {}, WIDE_MAPPED: _UNPACKED},
}
"""Each folder of an optimized graph, with the variants that use it and their session options."""


def prepare(
    folder: Path,
    manifest: VersionManifest,
    runtime: str,
    *,
    layout: StoreLayout,
    staging: Staging,
    progress: Progress,
    time_limit: TimeLimit = NO_LIMIT,
) -> PreparationManifest:
    """Prepare the version in a folder for `runtime`, the key of the running runtime.

    The preparation is staged in a folder that is named by its id. Raises TrialError if the plain
    variant cannot be loaded or fails a golden case; SpaceError if a graph does not fit;
    OutOfTimeError if the remaining time does not suffice.
    """
    builder = _PreparationBuilder(folder, manifest, layout, staging, progress, time_limit)
    builder.try_plain()
    if builder.source_bytes >= _LEAST_BYTES:
        builder.try_portable()
        builder.try_wide()
    return builder.finish(runtime)


class _PreparationBuilder:
    """One preparation in progress: its staged folder, and the variants tried so far."""

    def __init__(
        self,
        folder: Path,
        manifest: VersionManifest,
        layout: StoreLayout,
        staging: Staging,
        progress: Progress,
        time_limit: TimeLimit,
    ) -> None:
        self._folder = folder
        self._manifest = manifest
        self._layout = layout
        self._progress = progress
        self._time_limit = time_limit
        self._id = new_id()
        self._staged = staging.path(self._id)
        self._staged.mkdir()
        self._results = staging.path(f"trials-{self._id}")
        self._results.mkdir()
        self._variants: list[Variant] = []
        self._chunks: dict[str, tuple[str, ...]] = {}
        self._imports: tuple[RecordedFile, ...] = ()
        files = manifest.content.files
        self._source = [entry for entry in files if entry.path.startswith(f"{SOURCE}/")]
        self.source_bytes = sum(entry.size_bytes for entry in self._source)

    def try_plain(self) -> None:
        """Try the version's own graph."""
        variant = Variant(PLAIN, self._manifest.content.model_file, {}, None)
        self._variants.append(self._try(variant))
        for entry in self._manifest.content.files:
            if entry.size_bytes > CHUNK_BYTES and not entry.path.startswith(f"{GOLDEN}/"):
                with open_beneath(self._folder, entry.path) as stream:
                    self._chunks[entry.path] = digest_chunks(stream)[1]

    def try_portable(self) -> None:
        """Make the graph that is correct on every processor, and try it packed and mapped."""
        self._progress.step("optimizing the graph and measuring its variants")
        source = self._folder / self._manifest.content.model_file
        try:
            self._optimize({source: self._new_folder(PORTABLE)}, EXTENDED)
        except TrialError as error:
            self._refuse(PORTABLE, str(error))
            return
        self._try_variants(PORTABLE)

    def try_wide(self) -> None:
        """Make the graph for this kind of processor, and try it if it differs from portable."""
        portable = self._staged / PORTABLE / GRAPH
        if not portable.exists() or not blocked_layout.has_convolutions(portable):
            return
        source = self._folder / self._manifest.content.model_file
        made = self._new_folder(WIDE)
        probe = self._results / "probe.onnx"
        probed = self._results / "probed"
        probed.mkdir()
        blocked_layout.write_probe(probe)
        try:
            self._optimize({source: made, probe: probed}, HIGHEST)
            width = blocked_layout.block_width_of(made / GRAPH, probed / GRAPH)
        except TrialError as error:
            self._refuse(WIDE, str(error))
            return
        if width not in {0, block_width()}:
            reason = f"its blocks are {width} wide, but readers assume {block_width()}"
            self._refuse(WIDE, reason, width)
        elif (made / GRAPH).read_bytes() != portable.read_bytes():
            self._try_variants(WIDE, width)

    def finish(self, runtime: str) -> PreparationManifest:
        """Choose the variants, remove the files of all others, and write the manifest."""
        self._settle_doubts()
        choice = choose(self._variants, self._manifest.content.optimize_for, self._source)
        variants = tuple(
            each if each.name in choice.kept else each._replace(files=()) for each in self._variants
        )
        kept = {entry.path for variant in variants for entry in variant.files}
        for folder in _VARIANTS:
            if _path_in(folder, GRAPH) not in kept:
                shutil.rmtree(self._staged / folder, ignore_errors=True)
        preparation = PreparationManifest(
            model=self._manifest.model,
            id=self._id,
            version_id=self._manifest.id,
            version_digest=self._manifest.content.digest,
            runtime=runtime,
            created_at=now(),
            chosen=choice.name,
            why=choice.why,
            variants=variants,
            replacement=choice.replacement,
            chunks={path: self._chunks[path] for path in self._chunks if self._is_kept(path)},
            imports=self._imports,
        )
        durable.write_file(self._staged / MANIFEST, preparation.render())
        return preparation

    def _settle_doubts(self) -> None:
        """Measure doubtful variants again, and keep each one's fastest measurement."""
        for _ in range(_REPEATS):
            names = doubtful(self._variants, self._manifest.content.optimize_for, self._source)
            for number, variant in enumerate(self._variants):
                if variant.name in names:
                    with contextlib.suppress(TrialError, OutOfTimeError):
                        again = self._try(variant)
                        self._variants[number] = variant._replace(
                            measurement=variant.measured.faster(again.measured)
                        )

    def _new_folder(self, folder: str) -> Path:
        """Create a folder for an optimized graph; raises SpaceError if the graph would not fit."""
        made = self._staged / folder
        require_space(self._staged, self.source_bytes, "its optimized graph")
        made.mkdir()
        return made

    def _optimize(self, graphs: Mapping[Path, Path], level: str) -> None:
        optimize(graphs, level, layout=self._layout, time_limit=self._time_limit)

    def _refuse(self, folder: str, reason: str, width: int = 0) -> None:
        variant = Variant(folder, _path_in(folder, GRAPH), {}, None, optimized=True)
        self._variants.append(variant._replace(refused=reason, block_width=width))

    def _try_variants(self, folder: str, width: int = 0) -> None:
        """Try the variants that use the graph in `folder`."""
        files = tuple(self._seal_file(path) for path in sorted((self._staged / folder).iterdir()))
        for name, config in _VARIANTS[folder].items():
            if config and self.source_bytes < _LEAST_UNPACKED_BYTES:
                continue
            variant = Variant(
                name, _path_in(folder, GRAPH), config, None, optimized=True, files=files
            )
            variant = variant._replace(block_width=width)
            try:
                variant = self._try(variant)
            except TrialError as error:
                variant = variant._replace(refused=str(error))
            self._variants.append(variant)

    def _try(self, variant: Variant) -> Variant:
        """Return a variant with its measurement and recorded chunks; raises TrialError."""
        result = try_version(
            self._folder,
            self._results / f"{variant.name}.json",
            layout=self._layout,
            variant=variant,
            prepared=self._staged,
            time_limit=self._time_limit,
        )
        self._imports = self._imports or result.imports
        return variant._replace(measurement=result.measurement, recorded=result.recorded)

    def _seal_file(self, path: Path) -> FileEntry:
        """Make a file that ONNX Runtime wrote durable, and return its entry."""
        path.chmod(durable.FILE_MODE)
        name = _path_in(path.parent.name, path.name)
        with path.open("rb") as stream:
            digest, chunks = digest_chunks(stream)
            if chunks:
                self._chunks[name] = chunks
            os.fsync(stream.fileno())
            return FileEntry(name, stream.tell(), digest)

    def _is_kept(self, path: str) -> bool:
        return (self._folder / path).exists() or (self._staged / path).exists()


def _path_in(folder: str, file: str) -> str:
    return f"{folder}/{file}"
