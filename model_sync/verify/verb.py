"""Verifies a store: every digest is read again, and what is wrong is told, a line each.

1. STORE.json. Of every model: its refs (refs.py), then every version that is not deleted
   and its preparations: the manifest against refs, every file, what does not belong, modes.
2. Every package set: its digest against its folder's name, files.json, every file.
3. What was found wrong is looked at again in the newest refs: what a sweep has deleted meanwhile,
   or was just deleting when it died, and what a writer was just making, is no problem.

One damaged thing never stops the rest. Nothing is written. What no digest vouches for cannot be
found damaged: a change within refs that still agrees with all else, a manifest's times.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, NamedTuple

from model_store.errors import DamagedError, NotFoundError, StoreError
from model_store.reading import read_store_id, read_upward
from model_sync.package_sets.unused_marks import DELETING
from model_sync.store_io.checked_files import checked_blocks
from model_sync.store_io.parallel import SharedProgress, in_parallel
from model_sync.text import pluralize
from model_sync.verify.folder_check import mode_fault, strangers_and_modes
from model_sync.verify.published_folders import is_document, is_there_to_stay, list_sets
from model_sync.verify.refs import check_refs, has_refs, model_names
from model_sync.verify.subjects import Subject, set_subjects, version_subjects

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from model_store.files import FileEntry
    from model_store.layout import StoreLayout
    from model_store.refs import Refs
    from model_sync.mounted_store import MountedStore
    from model_sync.progress import Progress
    from model_sync.request_fields import RequestFields


class _File(NamedTuple):
    subject: Subject
    entry: FileEntry
    chunks: tuple[tuple[str, ...], ...]


def verify(store: MountedStore, asked: RequestFields) -> dict[str, Any]:
    """Verify the store, or `model` alone and the package sets that its versions import from.

    Raises StoreUnreachableError where the store is away, or goes away meanwhile; NotFoundError
    where there is no such model.
    """
    model = asked.optional_text("model")
    asked.done()
    layout = store.layout
    if model is not None and not has_refs(layout.model(model)):
        raise NotFoundError(f"no model is named {model!r} in the store at {layout.root}")
    return _Verification(layout, store.progress).run(model)


class _Verification:
    """One run over a store."""

    def __init__(self, layout: StoreLayout, progress: Progress) -> None:
        self._layout = layout
        self._progress = progress
        self._problems: list[tuple[str, str]] = []
        self._findings: list[tuple[Subject, str]] = []
        """What is wrong with published folders, as long as it has not been looked at again."""
        self._importers: dict[str, list[Path]] = {}
        """By a package set's digits: the folders of the versions that import from it."""
        kinds = ("models", "versions", "preparations", "package_sets", "files", "bytes")
        self._checked = dict.fromkeys(kinds, 0)

    def run(self, model: str | None) -> dict[str, Any]:
        """Verify, and tell what was checked and what is wrong."""
        self._check_store()
        names = model_names(self._layout) if model is None else (model,)
        self._progress.step(f"reading the refs of {pluralize(len(names), 'model')}")
        newest = [refs for name in names if (refs := self._check_refs(name))]
        versions = [each for refs in newest for each in version_subjects(self._layout, refs)]
        self._check_folders(f"verifying {pluralize(len(newest), 'model')}", versions)
        sets = {*self._importers, *(_set_names(self._layout) if model is None else ())}
        described = tuple(set_subjects(self._layout, sets))
        self._check_folders(f"verifying {pluralize(len(described), 'package set')}", described)
        self._look_again(newest)
        _refuse_lost_mount(self._layout)
        problems = [{"what": what, "problem": text} for what, text in sorted(set(self._problems))]
        return {"checked": self._checked, "problems": problems}

    def _check_store(self) -> None:
        try:
            read_store_id(self._layout)
        except DamagedError as error:
            self._problems.append((self._layout.store_json.name, str(error)))
        for path in (self._layout.store_json, self._layout.models, self._layout.packages):
            if os.path.lexists(path) and (fault := mode_fault(path, path.lstat().st_mode)):
                self._problems.append((path.name, fault))

    def _check_refs(self, name: str) -> Refs | None:
        """Check a model's refs; what is wrong twice is wrong."""
        place = self._layout.model(name)
        found = check_refs(place)
        if found.problems:
            again = check_refs(place)
            if not has_refs(place):  # the model was removed meanwhile
                return None
            both = set(found.problems) & set(again.problems)
            self._problems += ((f"models/{name}", problem) for problem in both)
            found = again
        self._checked["models"] += 1
        return found.newest

    def _check_folders(self, step: str, subjects: Iterable[Subject]) -> None:
        subjects = tuple(subjects)
        self._progress.step(step, sum(each.size_bytes for each in subjects))
        shared = SharedProgress(self._progress)

        def check(file: _File) -> None:
            try:
                for block in checked_blocks(file.subject.folder, file.entry, file.chunks):
                    shared.advance(0 if is_document(file.entry) else len(block))
            except StoreError as error:
                self._findings.append((file.subject, str(error)))

        in_parallel(check, self._files(subjects), shared)

    def _files(self, subjects: Iterable[Subject]) -> Iterator[_File]:
        """Every file of published folders; what else is wrong with them is noted on the way."""
        for subject in subjects:
            self._checked[subject.kind] += 1
            try:
                published = subject.read()
                if published.packages:
                    importers = self._importers.setdefault(published.packages.hex, [])
                    importers.append(subject.folder)
                # A sweep that died after its claim left DELETING in a set; the next one heals it.
                for problem in strangers_and_modes(published, may_be=DELETING):
                    self._findings.append((subject, problem))
            except StoreError as error:
                self._findings.append((subject, str(error)))
                continue
            except OSError as error:
                text = f"{subject.folder} cannot be listed: {error.strerror}"
                self._findings.append((subject, text))
                continue
            for entry in published.files:
                self._checked["files"] += 1
                self._checked["bytes"] += entry.size_bytes
                chunks = tuple(each for path, each in published.chunks if path == entry.path)
                yield _File(subject, entry, chunks)

    def _look_again(self, newest: Iterable[Refs]) -> None:
        """Keep of the findings what is about folders that are published still."""
        if not self._findings:
            return
        now = [_newest_now(self._layout, refs) for refs in newest]
        named = {
            each.folder for refs in now if refs for each in version_subjects(self._layout, refs)
        }
        for subject, problem in self._findings:
            importers = self._importers.get(subject.folder.name, ())
            is_set = subject.kind == "package_sets"
            there = is_set and is_there_to_stay(self._layout, subject.folder)
            if there or subject.folder in named or (is_set and not named.isdisjoint(importers)):
                self._problems.append((subject.what, problem))


def _set_names(layout: StoreLayout) -> list[str]:
    try:
        return [digest.hex for digest in list_sets(layout)]
    except NotADirectoryError:
        return []


def _newest_now(layout: StoreLayout, refs: Refs) -> Refs | None:
    """A model's newest refs by now; those that were read before where refs are damaged."""
    place = layout.model(refs.model)
    try:
        newest = read_upward(place)
    except StoreError:
        return refs
    # Read upward, a missing generation hides those after it.
    if newest is None:
        return refs if has_refs(place) else None
    is_behind = newest.model_id == refs.model_id and newest.generation < refs.generation
    return refs if is_behind else newest


def _refuse_lost_mount(layout: StoreLayout) -> None:
    """A mount that went away is no damaged store, nor a sound one; raises StoreUnreachableError."""
    try:
        read_store_id(layout)
    except DamagedError:
        return
