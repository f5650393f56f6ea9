"""Errors of the writer. When one is raised, nothing visible in the store has changed.

SyncError
├── RecipeError       model.toml, or the folder, does not define a model
├── BuildError        the model's build script failed
├── SourceError       a file to publish cannot be read, or changed while it was read
│   └── MissingError  the file does not exist
├── InspectionError   the model file is not an ONNX model that can be served
├── TrialError        the version does not load, or answers a golden case wrongly
├── PackagesError     a package set cannot be made from its requirements
├── SignatureError    the new signature would break callers of the label
├── SpaceError        the file system is full, or would be
├── ChangeError       a change of refs is refused: a label names the version, ...
├── BackupError       a folder cannot take a backup, or holds none to restore
├── RequestError      a request cannot be understood
├── OutOfTimeError    an invocation of the sync function is too short
├── RefusedError      the sync function answered with an error
└── StageError        a deployed stage is missing, or its functions fail
    └── StageUnreachableError  the stage cannot be called: no network, no credentials

Each message is one line: the problem, the object that has it, and what to do if there is a remedy.
`code_of` returns the code of an error in `--json` and in the sync function's answers.
"""

from __future__ import annotations

import errno
from typing import Final

from model_store.errors import StoreError, StoreUnreachableError

UNREACHABLE: Final = "unreachable"
"""The code of a store, or a stage, that cannot be reached."""

FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""Error numbers for no space left: on the file system, for this user, or in one file."""


class SyncError(Exception):
    """An operation was refused, or failed."""

    code = "failed"
    """Code of the error in `--json` and in the sync function's answers."""


class RecipeError(SyncError):
    """The model to publish is not defined, or is defined wrongly."""

    code = "recipe"


class BuildError(SyncError):
    """A build script failed, or did not write an output."""

    code = "build"


class SourceError(SyncError):
    """A file to publish cannot be used."""

    code = "source"


class MissingError(SourceError):
    """A file to publish does not exist."""


class InspectionError(SyncError):
    """The model cannot be served as it is."""

    code = "inspection"


class PackagesError(SyncError):
    """A package set cannot be made."""

    code = "packages"


class SignatureError(SyncError):
    """A label would move to a version that its callers cannot call."""

    code = "signature"


class SpaceError(SyncError):
    """The file system has too little space for the files to write."""

    code = "space"


class ChangeError(SyncError):
    """A change of a model's labels, split, holds or states is refused."""

    code = "change"


class BackupError(SyncError):
    """A folder cannot take a backup or a store, or is not a complete backup."""

    code = "backup"


class RequestError(SyncError):
    """A request cannot be understood."""

    code = "request"


class OutOfTimeError(SyncError):
    """The time that is left of an invocation is too short."""

    code = "time"


class RefusedError(SyncError):
    """The sync function refused a request, or failed; `code` is from its answer."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class StageError(SyncError):
    """A deployed stage cannot be used."""

    code = "stage"


class StageUnreachableError(StageError):
    """A deployed stage cannot be called."""

    code = UNREACHABLE


class TrialError(SyncError):
    """The version failed its trial."""

    code = "trial"


def code_of(error: Exception) -> str:
    """Return the code of an error: a SyncError's own, or one for the kind of error."""
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
