"""One sweep under way: what it deletes, what it reports, and how an error ends one step alone."""

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
    """What a sweep did, or would do, as `--json` prints it."""

    dry_run: bool
    deleted: list[dict[str, Any]] = field(default_factory=list)
    kept: list[dict[str, Any]] = field(default_factory=list)
    folders: list[str] = field(default_factory=list)
    packages: list[str] = field(default_factory=list)
    freed_bytes: int = 0
    failures: list[dict[str, str]] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """What every part of a sweep needs. `staging` is None on a dry run, which writes nothing."""

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
        """Let an error end this step and no other: it is noted, on one line."""
        try:
            yield
        except (OSError, StoreError, SyncError) as error:
            text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            self.report.failures.append({"what": what, "error": " ".join(text.split())})

    def delete(self, *names: str, told: list[str] | None = None) -> None:
        """Delete one folder, given by the names from the store's root down; gone is as good.

        `told` is the report's list that names it.
        """
        path = "/".join(names)
        with self.step(path):
            if self.staging is None:
                self.report.freed_bytes += size_of(self.layout.root, *names)
            else:
                try:
                    with open_folder(self.layout.root, *names[:-1]) as parent:
                        taken = self.trash.take(parent, names[-1])
                except FileNotFoundError:
                    return
                self.empty(path, taken)
            if told is not None:
                told.append(path)

    def empty(self, what: str, *taken: str) -> None:
        """Delete what was moved to trash; what cannot be is swept a day later."""
        for each in taken:
            with self.step(what):
                self.report.freed_bytes += self.trash.empty(each)
