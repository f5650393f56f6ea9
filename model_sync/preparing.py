"""Prepares a version for this runtime: makes forms of its graph, measures each, keeps the best.

    plain       the graph as given, optimized each time it is opened
    portable    optimized once, here; its weights are packed for the processor as it is opened
    mapped      the same files; nothing is packed, weights are used as they lie in the mapped file

A graph of less than a megabyte is opened in a few milliseconds in any form: only plain is tried.
Which form is chosen, and why: choosing.py. All that was measured is in the preparation's manifest.
"""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING, Final

from model_store.chunks import CHUNK_BYTES, digest_chunks
from model_store.documents import now
from model_store.files import FileEntry, open_beneath
from model_store.layout import MANIFEST, SOURCE
from model_store.names import new_id
from model_store.preparation import PreparationManifest
from model_store.variant import PLAIN, Variant
from model_sync import durable
from model_sync.choosing import choose
from model_sync.errors import TrialError
from model_sync.optimizing import GRAPH, optimize
from model_sync.space import require_space
from model_sync.trial import try_version

if TYPE_CHECKING:
    from pathlib import Path

    from model_store.layout import StoreLayout
    from model_store.version import VersionManifest
    from model_sync.progress import Progress
    from model_sync.staging import Staging

_LEAST_BYTES: Final = 1 << 20

PORTABLE: Final = "portable"
MAPPED: Final = "mapped"
_UNPACKED: Final = {"session.disable_prepacking": "1"}


def prepare(
    folder: Path,
    manifest: VersionManifest,
    runtime: str,
    *,
    layout: StoreLayout,
    staging: Staging,
    progress: Progress,
) -> PreparationManifest:
    """Prepare the version in a folder for `runtime`, which is this one, by its key.

    The preparation's own folder is staged, by its id. Raises TrialError where the plain form cannot
    be loaded or fails a golden case, SpaceError where what is made does not fit.
    """
    preparing = _Preparing(folder, manifest, layout, staging, progress)
    preparing.plain()
    if preparing.source_bytes >= _LEAST_BYTES:
        preparing.optimized()
    return preparing.chosen(runtime)


class _Preparing:
    """One preparation under way: its staged folder, and what was tried so far."""

    def __init__(
        self,
        folder: Path,
        manifest: VersionManifest,
        layout: StoreLayout,
        staging: Staging,
        progress: Progress,
    ) -> None:
        self._folder = folder
        self._manifest = manifest
        self._layout = layout
        self._progress = progress
        self._id = new_id()
        self._staged = staging.path(self._id)
        self._staged.mkdir()
        self._results = staging.path(f"trials-{self._id}")
        self._results.mkdir()
        self._variants: list[Variant] = []
        self._chunks: dict[str, tuple[str, ...]] = {}
        files = manifest.content.files
        self._source = [entry for entry in files if entry.path.startswith(f"{SOURCE}/")]
        self.source_bytes = sum(entry.size_bytes for entry in self._source)

    def plain(self) -> None:
        """Try the version's own graph."""
        variant = Variant(PLAIN, self._manifest.content.model_file, {}, None)
        self._variants.append(self._tried(variant))
        for entry in self._source:
            if entry.size_bytes > CHUNK_BYTES:
                with open_beneath(self._folder, entry.path) as stream:
                    self._chunks[entry.path] = digest_chunks(stream)[1]

    def optimized(self) -> None:
        """Make the optimized graph, and try it packed and mapped."""
        made = self._staged / PORTABLE
        require_space(self._staged, self.source_bytes, "the optimized form of its graph")
        made.mkdir()
        self._progress.step("optimizing the graph, and measuring its forms")
        try:
            optimize(self._folder / self._manifest.content.model_file, made, layout=self._layout)
        except TrialError as error:
            variant = Variant(PORTABLE, _in(GRAPH), {}, None, optimized=True)
            self._variants.append(variant._replace(refused=str(error)))
            return
        files = tuple(self._taken(path) for path in sorted(made.iterdir()))
        for name, config in {PORTABLE: {}, MAPPED: _UNPACKED}.items():
            variant = Variant(name, _in(GRAPH), config, None, optimized=True, files=files)
            try:
                variant = self._tried(variant)
            except TrialError as error:
                variant = variant._replace(refused=str(error))
            self._variants.append(variant)

    def chosen(self, runtime: str) -> PreparationManifest:
        """Choose, drop the files of what was not chosen, and write the manifest."""
        choice = choose(self._variants, self._manifest.content.optimize_for)
        if choice.name == PLAIN:
            shutil.rmtree(self._staged / PORTABLE, ignore_errors=True)
        preparation = PreparationManifest(
            model=self._manifest.model,
            id=self._id,
            version_id=self._manifest.id,
            version_digest=self._manifest.content.digest,
            runtime=runtime,
            created_at=now(),
            chosen=choice.name,
            why=choice.why,
            variants=tuple(
                each if each.name == choice.name else each._replace(files=())
                for each in self._variants
            ),
            replacement=None,
            chunks={path: self._chunks[path] for path in self._chunks if self._is_kept(path)},
        )
        durable.write_file(self._staged / MANIFEST, preparation.render())
        return preparation

    def _tried(self, variant: Variant) -> Variant:
        """A variant with what was measured and recorded of it; raises TrialError."""
        found = try_version(
            self._folder,
            self._results / f"{variant.name}.json",
            layout=self._layout,
            variant=variant,
            prepared=self._staged,
        )
        return variant._replace(measurement=found.measurement, recorded=found.recorded)

    def _taken(self, path: Path) -> FileEntry:
        """A file that ONNX Runtime wrote, made durable and described."""
        path.chmod(durable.FILE_MODE)
        name = _in(path.name)
        with path.open("rb") as stream:
            digest, chunks = digest_chunks(stream)
            if chunks:
                self._chunks[name] = chunks
            os.fsync(stream.fileno())
            return FileEntry(name, stream.tell(), digest)

    def _is_kept(self, path: str) -> bool:
        return path.startswith(f"{SOURCE}/") or (self._staged / path).exists()


def _in(file: str) -> str:
    return f"{PORTABLE}/{file}"
