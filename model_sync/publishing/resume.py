"""Copying that may take more than one invocation of the sync function.

A function ends when its time is up, whatever it is doing. So copying stops before that, at a file's
end, keeps its staging folder, and says how to go on: the next invocation finds there what has
arrived (`copied.json`) and copies the rest. Only a file that takes longer than a whole invocation
cannot arrive. The files' digests are held against the contents when they are copied, and again
when the version is tried.

`copied.json` says of which contents it is, and goes away when it is taken up: what is another's,
or is being worked on, is left alone.
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
"""At the least: what is left to do writes a version's weights once, and reads them a few times."""

_COPIED: Final = "copied.json"


class ToBeContinued(Exception):  # noqa: N818 - no error: the work goes on in the next invocation
    """Time is nearly up; `resume` is what the next invocation is to be asked with.

    Of a publication, the id of the staging folder that holds what has arrived, and was kept.
    """

    def __init__(self, resume: str) -> None:
        super().__init__(f"to be continued from {resume}")
        self.resume = resume


def preparation_ms(size_bytes: int) -> float:
    """How long preparing a version may take, as an estimate that is rather too long.

    A trial has a deadline of its own (preparation/trial.py); how many there are, and how long they take, grows
    with the version. What may not fit in what is left of an invocation begins in the next one; what
    does not end in a whole one fails, with what to do (child_process.py).
    """
    return (DEADLINE_S + size_bytes / _REST_BYTES_PER_S) * 1000 + MARGIN_MS


def resume_copy(staging: Staging, uploaded: UploadedContents) -> set[FileEntry]:
    """What had arrived of uploaded contents when their staging folder was kept.

    Raises RequestError where none of these contents is waiting there, and then leaves the folder
    to whoever it belongs to; DamagedError, after which it is of no use.
    """
    path = staging.path(_COPIED)
    try:
        fields = documents.open_document(path.read_bytes(), str(path))
        is_ours = fields.digest("contents") == uploaded.content.digest
        if is_ours:
            path.unlink()  # of two who would take it up, one finds it
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
    """Copy what has not arrived yet of uploaded contents into a staged folder.

    `copied` is what has arrived there, and grows. Raises ToBeContinued, having got on;
    OutOfTimeError where one file alone needs more time; SourceError; SpaceError, where they do not
    fit, before anything is copied.
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
        (folder / entry.path).unlink(missing_ok=True)  # a part of it, if time was up meanwhile
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
    seal(folder)  # what is noted is there after a crash, too
    document = {
        "format": FORMAT,
        "contents": str(uploaded.content.digest),
        "files": [entry.to_json() for entry in sorted(copied)],
    }
    durable.write_file(staging.path(_COPIED), documents.render(document))
    durable.sync_folder(staging.folder)
    staging.keep()
    raise ToBeContinued(staging.id)
