"""Copy uploaded contents in several invocations of the sync function.

An invocation ends when its time is up. So copying stops before that at the end of a file, keeps
its staging folder, and returns the folder's id. The next invocation reads there which files are
complete (`copied.json`) and copies the rest. Only a file that takes longer than a whole invocation
cannot be copied. Digests are checked when a file is copied, and again when the version is tried.

`copied.json` names its contents, and is deleted when copying resumes. So an invocation never uses
a staging folder of other contents, or one that another invocation works on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from model_store import documents
from model_store.documents import FORMAT
from model_store.files import FileEntry
from model_sync.errors import OutOfTimeError, RequestError
from model_sync.preparation.trial import DEADLINE_S
from model_sync.store_io import durable
from model_sync.store_io.disk_space import require_space
from model_sync.store_io.staging import copy_in, seal
from model_sync.time_limit import MARGIN_MS

if TYPE_CHECKING:
    from pathlib import Path

    from model_sync.progress import Progress
    from model_sync.sources.uploaded import UploadedContents
    from model_sync.store_io.staging import Staging
    from model_sync.time_limit import TimeLimit

_REST_BYTES_PER_S: Final = 2_000_000
"""Minimum speed after copying: weights are then written once and read a few times."""

_COPIED: Final = "copied.json"


class ToBeContinued(Exception):  # noqa: N818 - no error: the work goes on in the next invocation
    """The time is nearly up; pass `resume` to the next invocation.

    For a publication, `resume` is the id of the staging folder, which was kept.
    """

    def __init__(self, resume: str) -> None:
        super().__init__(f"to be continued from {resume}")
        self.resume = resume


def preparation_ms(size_bytes: int) -> float:
    """Return a generous estimate of the time to prepare a version.

    Each trial has its own deadline (preparation/trial.py), but the number of trials and their
    duration grow with the version. A preparation that may not fit into the rest of an invocation
    starts in the next one. A preparation that exceeds a whole invocation fails with an error that
    states the remedy (child_process.py).
    """
    return (DEADLINE_S + size_bytes / _REST_BYTES_PER_S) * 1000 + MARGIN_MS


def resume_copy(staging: Staging, uploaded: UploadedContents) -> set[FileEntry]:
    """Return the files of uploaded contents that were copied before their staging was kept.

    Raises RequestError if the folder is not waiting for these contents, and then leaves the folder
    as it is; DamagedError, and then the folder is of no use.
    """
    path = staging.path(_COPIED)
    try:
        fields = documents.open_document(path.read_bytes(), str(path))
        is_ours = fields.digest("contents") == uploaded.content.digest
        if is_ours:
            path.unlink()  # only one of two concurrent invocations succeeds
    except FileNotFoundError:
        is_ours = False
    if not is_ours:
        staging.keep()
        raise RequestError(
            f"nothing of {uploaded.name} waits in {staging.folder}: "
            "publish again, from the beginning"
        )
    copied = {FileEntry.from_json(item, str(path)) for item in fields.items("files")}
    fields.done()
    return copied


def copy_files(
    uploaded: UploadedContents,
    copied: set[FileEntry],
    folder: Path,
    staging: Staging,
    progress: Progress,
    time_limit: TimeLimit,
) -> None:
    """Copy the files of uploaded contents that are not in `copied` yet into a staged folder.

    Each copied file is added to `copied`. Raises ToBeContinued after at least one file if the time
    is nearly up; OutOfTimeError if a single file needs more time; SourceError; SpaceError before
    copying if the files do not fit.
    """
    files = uploaded.content.files
    before = len(copied)
    missing = sum(entry.size_bytes for entry in files if entry not in copied)
    require_space(folder, missing, uploaded.name)
    progress.step("copying from S3", uploaded.content.size_bytes)
    progress.advance(sum(entry.size_bytes for entry in copied))

    def advance(n_bytes: int) -> None:
        progress.advance(n_bytes)
        if not time_limit.leaves_ms(MARGIN_MS):
            raise _TimeIsUpError

    for entry in files:
        if entry in copied:
            continue
        (folder / entry.path).unlink(missing_ok=True)  # a partial file of an earlier invocation
        try:
            path, size = entry.path, entry.size_bytes
            copied_entry = copy_in(uploaded, path, folder, path, advance, size_bytes=size)
        except _TimeIsUpError:
            if len(copied) == before:
                raise OutOfTimeError(
                    f"{entry.path!r} ({entry.size_bytes} bytes) takes longer to copy than one "
                    "invocation lasts: raise the sync function's timeout"
                ) from None
            _pause(staging, folder, uploaded, copied)
        if copied_entry != entry:
            raise uploaded.damaged(entry.path)
        copied.add(entry)
    rest = preparation_ms(uploaded.content.size_bytes)
    if len(copied) > before and not time_limit.leaves_ms(rest):
        _pause(staging, folder, uploaded, copied)


class _TimeIsUpError(Exception):
    pass


def _pause(
    staging: Staging, folder: Path, uploaded: UploadedContents, copied: set[FileEntry]
) -> None:
    seal(folder)  # before the list, so that listed files survive a crash
    document = {
        "format": FORMAT,
        "contents": str(uploaded.content.digest),
        "files": [entry.to_json() for entry in sorted(copied)],
    }
    durable.write_file(staging.path(_COPIED), documents.render(document))
    durable.sync_folder(staging.folder)
    staging.keep()
    raise ToBeContinued(staging.id)
