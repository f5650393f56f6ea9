"""Copy the folders that refs name from one store's tree to another's: to a backup, or from it.

Every byte is checked against its digest while it is copied, every file is fsynced, and a folder
appears by one rename when it is complete. A folder that exists is read and checked in the same way,
and copied again only if it is damaged.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from model_store.documents import FORMAT, render
from model_store.errors import DamagedError, NotFoundError, StoreError
from model_store.reading import read_generation, read_model_id
from model_store.refs import State
from model_sync.store_io import durable
from model_sync.store_io.checked_files import checked_blocks, copy_whole
from model_sync.store_io.parallel import SharedProgress, in_parallel
from model_sync.verify.folder_check import is_complete
from model_sync.verify.published_folders import (
    PublishedFolder,
    is_document,
    package_set_folder,
    preparation_folder,
    version_folder,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from model_store.digests import Digest
    from model_store.files import FileEntry
    from model_store.layout import ModelLayout, StoreLayout
    from model_store.refs import Refs
    from model_sync.progress import Progress
    from model_sync.store_io.staging import Staging


class StoreCopy:
    """Copy from `source` to `target`, through a staging folder in `target`.

    `trust_sizes`: check existing folders by the kinds and sizes of their files only.
    """

    def __init__(
        self,
        source: StoreLayout,
        target: StoreLayout,
        staging: Staging,
        progress: Progress,
        *,
        trust_sizes: bool = False,
    ) -> None:
        self._source = source
        self._target = target
        self._staging = staging
        self._progress = progress
        self._trust_sizes = trust_sizes
        self.package_sets: set[Digest] = set()
        """Package sets that were copied, or are complete in the target."""
        self.copied = dict.fromkeys(("versions", "preparations", "package_sets", "bytes"), 0)

    def model(self, refs: Refs) -> set[Path]:
        """Copy the folders that one generation names, then the model's refs up to it.

        Returns the paths of these folders in the target. Raises StoreError if the source is
        damaged; OSError.
        """
        named = set()
        for entry in refs.versions.values():
            if entry.state is State.DELETED:
                continue
            version = version_folder(self._source, refs.model, entry)
            if version.packages:  # a set is in place before the version that names it
                self.package_set(version.packages)
            named.add(self._folder("versions", version))
            for runtime in entry.preparations:
                prepared = preparation_folder(self._source, refs.model, entry, runtime)
                named.add(self._folder("preparations", prepared))
        self._refs(refs)
        return named

    def package_set(self, digest: Digest) -> None:
        """Copy a package set; raises StoreError, NotFoundError if there is none, and OSError."""
        if digest not in self.package_sets:
            self._folder("package_sets", package_set_folder(self._source, digest))
            self.package_sets.add(digest)

    def _folder(self, kind: str, published: PublishedFolder) -> Path:
        target = self._target.root / published.folder.relative_to(self._source.root)
        if self._is_intact(published._replace(folder=target)):
            return target
        staged = self._staging.path(f"copy-{target.name}")
        if staged.exists():  # left by a try that failed
            self._staging.withdraw(staged)
        for parent in sorted({(staged / entry.path).parent for entry in published.files}):
            parent.mkdir(parents=True, exist_ok=True)
        shared = SharedProgress(self._progress)

        def copy(entry: FileEntry) -> None:
            copy_whole(published.folder, entry, staged / entry.path, _advance(shared, entry))

        in_parallel(copy, published.files, shared)
        if target.exists():  # damaged
            self._staging.withdraw(target)
        self._staging.publish(staged.name, target)
        self.copied[kind] += 1
        self.copied["bytes"] += published.content_bytes
        return target

    def _is_intact(self, target: PublishedFolder) -> bool:
        """Return True if a folder is in the target, with the bytes that were published."""
        if not is_complete(target):
            return False
        if self._trust_sizes:
            return True
        shared = SharedProgress(self._progress)

        def check(entry: FileEntry) -> None:
            advance = _advance(shared, entry)
            for block in checked_blocks(target.folder, entry):
                advance(len(block))

        try:
            in_parallel(check, target.files, shared)
        except DamagedError:
            return False
        return True

    def _refs(self, newest: Refs) -> None:
        """Copy every generation up to `newest`, and MODEL.json, if missing or different."""
        source, target = (layout.model(newest.model) for layout in (self._source, self._target))
        model_id = read_model_id(source)
        durable.make_folder(target.refs_folder, within=self._target.root)
        if _model_id(target) != model_id:
            self._place(target.model_json, render({"format": FORMAT, "id": model_id}))

        def copy(number: int) -> None:
            refs = newest if number == newest.generation else read_generation(source, number)
            if refs is None:
                raise DamagedError(f"{source.generation(number)} is missing")
            if refs.model_id != model_id:
                raise DamagedError(
                    f"{source.generation(number)} has the model id {refs.model_id}, and MODEL.json "
                    f"has {model_id}"
                )
            if generation_in(target, number) != refs:
                self._place(target.generation(number), refs.render())

        # The newest is copied last: if it exists, all generations before it exist.
        shared = SharedProgress(self._progress)
        in_parallel(copy, range(1, newest.generation), shared)
        durable.sync_folder(target.refs_folder)
        copy(newest.generation)
        durable.sync_folder(target.refs_folder)
        durable.sync_folder(target.folder)

    def _place(self, path: Path, data: bytes) -> None:
        """Put a document in place. Its name is durable once its folder is fsynced."""
        staged = self._staging.path(f"document-{path.parent.parent.name}-{path.name}")
        staged.unlink(missing_ok=True)
        durable.write_file(staged, data)
        staged.rename(path)


def _advance(shared: SharedProgress, entry: FileEntry) -> Callable[[int], None]:
    """Return the function that counts a file's bytes: bytes of documents do not count."""
    return partial(_count_nothing, shared) if is_document(entry) else shared.advance


def _count_nothing(shared: SharedProgress, n_bytes: int) -> None:
    shared.advance(0)


def _model_id(layout: ModelLayout) -> str | None:
    try:
        return read_model_id(layout)
    except (NotFoundError, DamagedError):
        return None


def generation_in(layout: ModelLayout, number: int) -> Refs | None:
    """Return one generation of refs; None if it is missing or cannot be read."""
    try:
        return read_generation(layout, number)
    except StoreError:
        return None
