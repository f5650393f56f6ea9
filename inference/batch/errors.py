"""Errors of a batch's objects. Errors of single records are not among them.

BatchError
├── EventError          a message, or the key in it, cannot be a batch's
├── ObjectGoneError     the object was deleted or replaced: nothing is left to do
├── StorageError        an object could not be read or written; a retry may help
└── OutOfTimeError      the invocation ends before the object is done

A record that fails becomes a line of `.errors.jsonl` instead (run.py). Messages are one line.
"""

from __future__ import annotations

from inference.errors import ServingError


class BatchError(ServingError):
    """Base class: an object of a batch has no output."""


class EventError(BatchError):
    """An invalid message; a retry will not help."""


class ObjectGoneError(BatchError):
    """The object was deleted or replaced since the event, or since it was opened."""


class StorageError(BatchError):
    """Reading or writing failed."""


class OutOfTimeError(BatchError):
    """Too little of the invocation's time is left for the next record."""
