"""Why a publication was refused, or failed. Nothing visible has changed when one is raised.

SyncError
├── RecipeError       model.toml, or the folder, does not say what to publish
├── BuildError        the model's build script failed
├── SourceError       a file to publish may not be read, or changed meanwhile
│   └── MissingError  it is not there
├── InspectionError   the model file is no ONNX model that can be served
├── TrialError        the version does not load, or answers a golden case wrongly
├── PackagesError     a package set cannot be made of what its requirements name
├── SignatureError    callers of the version that the label names would be broken
├── SpaceError        the store's file system is full, or would be
├── ChangeError       refs may not be changed in this way: a label names it, it was deleted, ...
├── BackupError       a backup cannot be made there, or is none that can be restored there
├── RequestError      a request to the sync function does not say what to do
├── OutOfTimeError    the sync function has too little time for what was asked
├── RefusedError      the sync function answered that it failed; it says why
└── StageError        a deployed stage is not there, or its functions fail
    └── StageUnreachableError  it cannot be asked: no network, no credentials

Each message is one line that says what happened, to what, and what to do where something can be.
`code_of` is the word for an error in `--json` and in the sync function's answers.
"""

from __future__ import annotations

import errno
from typing import Final

from model_store.errors import StoreError, StoreUnreachableError

UNREACHABLE: Final = "unreachable"
"""The code of a store, or a stage, that cannot be reached."""

FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""What the system says where no more can be written: none is left, not to this user, not in one
file."""


class SyncError(Exception):
    """A publication was refused, or failed."""

    code = "failed"
    """The word for it in `--json` and in the sync function's answers."""


class RecipeError(SyncError):
    """What to publish is not said, or said wrongly."""

    code = "recipe"


class BuildError(SyncError):
    """A build script failed, or left out an output."""

    code = "build"


class SourceError(SyncError):
    """A file cannot be taken up."""

    code = "source"


class MissingError(SourceError):
    """A file is not there."""


class InspectionError(SyncError):
    """The model cannot be served as it is."""

    code = "inspection"


class PackagesError(SyncError):
    """A package set cannot be made."""

    code = "packages"


class SignatureError(SyncError):
    """A label would move to a version that its callers cannot go on calling."""

    code = "signature"


class SpaceError(SyncError):
    """What is to be written does not fit where it belongs."""

    code = "space"


class ChangeError(SyncError):
    """A change of labels, split, holds or states is refused."""

    code = "change"


class BackupError(SyncError):
    """A folder cannot take a backup, or a store, or is no complete backup."""

    code = "backup"


class RequestError(SyncError):
    """A request cannot be understood."""

    code = "request"


class OutOfTimeError(SyncError):
    """An invocation's time does not suffice."""

    code = "time"


class RefusedError(SyncError):
    """The sync function refused, or failed; `code` is the one that it answered."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class StageError(SyncError):
    """A deployed stage cannot be used."""

    code = "stage"


class StageUnreachableError(StageError):
    """A deployed stage cannot be asked."""

    code = UNREACHABLE


class TrialError(SyncError):
    """The version failed where it was tried."""

    code = "trial"


def code_of(error: Exception) -> str:
    """The word for an error: a SyncError's own, or what kind of thing went wrong."""
    match error:
        case SyncError():
            return error.code
        case StoreUnreachableError():
            return UNREACHABLE
        case StoreError():
            return "store"
        case OSError() if error.errno in FULL:
            return SpaceError.code
        case OSError():
            return "system"
        case _:
            return "internal"
