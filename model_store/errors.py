"""What can be wrong with a store.

StoreError
├── StoreUnreachableError   no STORE.json there: a missing mount, or a wrong path
├── FormatTooNewError       written by a later Coldpress than this one
├── DamagedError            a file is there, and is not what it should be
├── NotFoundError           the store is there, and what was asked for is not in it
└── InvalidNameError        a name that can never be in a store

Each message is one line that says what happened, to what, and what to do where something can
be done; what is not printable in it is shown as its escape, for names come from outside. Callers
decide what it means to them (an exit code, an HTTP status).
"""

from __future__ import annotations

from model_store.lines import on_one_line


class StoreError(Exception):
    """Something is wrong with the store or with what was asked of it."""

    def __init__(self, message: str) -> None:
        super().__init__(on_one_line(message))


class StoreUnreachableError(StoreError):
    """The store cannot be read at all. This never means that it is empty."""


class FormatTooNewError(StoreError):
    """A document states a format that this release does not know."""


class DamagedError(StoreError):
    """A document or file differs from what was published."""


class NotFoundError(StoreError):
    """The store holds no such model, version or label."""


class InvalidNameError(StoreError):
    """A name does not match its pattern; it was not used as a path."""
