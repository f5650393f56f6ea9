"""Why a publication was refused, or failed. Nothing visible has changed when one is raised.

SyncError
├── RecipeError       model.toml, or the folder, does not say what to publish
├── BuildError        the model's build script failed
├── SourceError       a file to publish may not be read, or changed meanwhile
│   └── MissingError  it is not there
├── InspectionError   the model file is no ONNX model that can be served
├── TrialError        the version does not load, or answers a golden case wrongly
├── PackagesError     a package set cannot be made of what its requirements name
└── RequestError      a request to the sync function does not say what to do

Each message is one line that says what happened, to what, and what to do where something can be.
"""

from __future__ import annotations

from typing import ClassVar


class SyncError(Exception):
    """A publication was refused, or failed."""

    code: ClassVar[str] = "failed"


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


class RequestError(SyncError):
    """A request cannot be understood."""

    code = "request"


class TrialError(SyncError):
    """The version failed where it was tried."""

    code = "trial"
