"""A sweep in progress: deleting, reporting, and limiting an error to one step."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from model_store.errors import StoreError
from model_sync.errors import SyncError
from model_sync.store_io.trash import open_folder, size_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from model_store.layout import StoreLayout
    from model_sync.mounted_store import MountedStore
    from model_sync.store_io.staging import Staging
    from model_sync.store_io.trash import Trash


@dataclass(slots=True)
class Report:
    """Report of a sweep or a dry run, as `--json` prints it."""

    dry_run: bool
    deleted: list[dict[str, Any]] = field(default_factory=list)
    kept: list[dict[str, Any]] = field(default_factory=list)
    folders: list[str] = field(default_factory=list)
    packages: list[str] = field(default_factory=list)
    freed_bytes: int = 0
    failures: list[dict[str, str]] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """Context of a sweep's parts. `staging` is None on a dry run, which writes nothing."""

    store: MountedStore
    now_s: float
    report: Report
    trash: Trash
    staging: Staging | None

    @property
    def layout(self) -> StoreLayout:
        """The store's layout."""
        return self.store.layout

    @contextlib.contextmanager
    def step(self, what: str) -> Iterator[None]:
        """Run a step. An error ends this step only, and is reported as a failure, on one line."""
        try:
            yield
        except (OSError, StoreError, SyncError) as error:
            text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            self.report.failures.append({"what": what, "error": " ".join(text.split())})

    def delete(self, *names: str, report: list[str] | None = None) -> None:
        """Delete a folder, given by the names from the store's root down, if it exists.

        `report`: the list of the report to add its path to.
        """
        path = "/".join(names)
        with self.step(path):
            if self.staging is None:
                self.report.freed_bytes += size_of(self.layout.root, *names)
            else:
                try:
                    with open_folder(self.layout.root, *names[:-1]) as parent:
                        trashed = self.trash.take(parent, names[-1])
                except FileNotFoundError:
                    return
                self.empty(path, trashed)
            if report is not None:
                report.append(path)

    def empty(self, what: str, *trashed: str) -> None:
        """Delete folders in the trash. A folder that cannot be deleted is swept a day later."""
        for each in trashed:
            with self.step(what):
                self.report.freed_bytes += self.trash.empty(each)
