"""Verify a store: read every file again, and report each problem in a line.

1. STORE.json. For each model: its refs (refs.py), then every version that is not deleted and its
   preparations: the manifest against refs, every file, unlisted entries, modes.
2. Each package set: its digest against its folder's name, files.json, every file.
3. Compare the findings with the newest refs. Folders that a sweep has deleted or
   claimed, or that a writer was making, are no problem.

Damage to one object does not stop the others from being checked. Nothing is written. Damage without
a digest is not detected: a change in refs that contradicts no other generation, a manifest's times.
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
from model_sync.verify.folder_check import mode_fault, unlisted_entries_and_modes
from model_sync.verify.published_folders import exists_unclaimed, is_document, list_sets
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


def verify(store: MountedStore, request: RequestFields) -> dict[str, Any]:
    """Verify the store, or `model` only, with the package sets of its versions.

    Raises StoreUnreachableError if the store is unreachable, at the start or at the end;
    NotFoundError if there is no such model.
    """
    model = request.optional_text("model")
    request.done()
    layout = store.layout
    if model is not None and not has_refs(layout.model(model)):
        raise NotFoundError(f"no model is named {model!r} in the store at {layout.root}")
    return _Verification(layout, store.progress).run(model)


class _Verification:
    """Run over a store."""

    def __init__(self, layout: StoreLayout, progress: Progress) -> None:
        self._layout = layout
        self._progress = progress
        self._problems: list[tuple[str, str]] = []
        self._findings: list[tuple[Subject, str]] = []
        """Problems of published folders, not yet compared with the newest refs."""
        self._importers: dict[str, list[Path]] = {}
        """Folders of the versions that pin a package set, by the digits of its digest."""
        kinds = ("models", "versions", "preparations", "package_sets", "files", "bytes")
        self._checked = dict.fromkeys(kinds, 0)

    def run(self, model: str | None) -> dict[str, Any]:
        """Verify; return counts of the objects checked, and the problems."""
        self._check_store()
        names = model_names(self._layout) if model is None else (model,)
        self._progress.step(f"reading the refs of {pluralize(len(names), 'model')}")
        newest = [refs for name in names if (refs := self._check_refs(name))]
        versions = [each for refs in newest for each in version_subjects(self._layout, refs)]
        self._check_folders(f"verifying {pluralize(len(newest), 'model')}", versions)
        sets = {*self._importers, *(_set_names(self._layout) if model is None else ())}
        package_sets = tuple(set_subjects(self._layout, sets))
        self._check_folders(
            f"verifying {pluralize(len(package_sets), 'package set')}", package_sets
        )
        self._drop_outdated_findings(newest)
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
        """Check a model's refs; report only the problems of two checks in a row."""
        model = self._layout.model(name)
        report = check_refs(model)
        if report.problems:
            second = check_refs(model)
            if not has_refs(model):  # the model was removed after the first check
                return None
            both = set(report.problems) & set(second.problems)
            self._problems += ((f"models/{name}", problem) for problem in both)
            report = second
        self._checked["models"] += 1
        return report.newest

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
        """Yield every file of published folders; add their other problems to the findings."""
        for subject in subjects:
            self._checked[subject.kind] += 1
            try:
                published = subject.read()
                if published.packages:
                    importers = self._importers.setdefault(published.packages.hex, [])
                    importers.append(subject.folder)
                # A sweep that died after its claim leaves DELETING in a set.
                for problem in unlisted_entries_and_modes(published, optional=DELETING):
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

    def _drop_outdated_findings(self, newest: Iterable[Refs]) -> None:
        """Report the findings on folders that are still published, and drop the others."""
        if not self._findings:
            return
        now = [_newest_now(self._layout, refs) for refs in newest]
        named = {
            each.folder for refs in now if refs for each in version_subjects(self._layout, refs)
        }
        for subject, problem in self._findings:
            importers = self._importers.get(subject.folder.name, ())
            is_set = subject.kind == "package_sets"
            exists = is_set and exists_unclaimed(self._layout, subject.folder)
            if exists or subject.folder in named or (is_set and not named.isdisjoint(importers)):
                self._problems.append((subject.what, problem))


def _set_names(layout: StoreLayout) -> list[str]:
    try:
        return [digest.hex for digest in list_sets(layout)]
    except NotADirectoryError:
        return []


def _newest_now(layout: StoreLayout, refs: Refs) -> Refs | None:
    """Return a model's newest refs now; the given ones if refs are damaged."""
    model = layout.model(refs.model)
    try:
        newest = read_upward(model)
    except StoreError:
        return refs
    # A missing generation hides the later ones from reading upward.
    if newest is None:
        return refs if has_refs(model) else None
    is_behind = newest.model_id == refs.model_id and newest.generation < refs.generation
    return refs if is_behind else newest


def _refuse_lost_mount(layout: StoreLayout) -> None:
    """Raise StoreUnreachableError if the store's mount is gone: the findings then mean nothing."""
    try:
        read_store_id(layout)
    except DamagedError:
        return
