"""What can go wrong with an object of a batch, apart from its records.

BatchError
├── EventError          a message, or the key that it names, is not what a batch is made of
├── ObjectGoneError     the object was deleted or replaced since: nothing is left to be done
├── StorageError        an object could not be read or written; trying again may help
└── OutOfTimeError      the invocation ends before the object would

A record that is at fault is none of these: it becomes a line of `.errors.jsonl` (run.py).
Messages are one line.
"""

from __future__ import annotations

from inference.errors import ServingError


class BatchError(ServingError):
    """An object of a batch came to no output."""


class EventError(BatchError):
    """A message that no number of tries will make right."""


class ObjectGoneError(BatchError):
    """The object is no longer the one that was to be answered."""


class StorageError(BatchError):
    """Reading or writing failed."""


class OutOfTimeError(BatchError):
    """Too little of the invocation's time is left."""
