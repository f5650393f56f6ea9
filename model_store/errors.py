"""Errors of a store.

StoreError
├── StoreUnreachableError   no STORE.json: a missing mount, or a wrong path
├── FormatTooNewError       written by a later release than this one
├── DamagedError            a file exists, but its contents are wrong
├── NotFoundError           the store exists, but does not hold the requested object
└── InvalidNameError        a name that can never be in a store

A message is one line: the problem, the object, and the remedy if there is one. Names come from
outside, so unprintable characters are escaped. Callers decide on the consequence of an error (an
exit code, an HTTP status).
"""

from __future__ import annotations

from model_store.lines import on_one_line


class StoreError(Exception):
    """An error of the store, or of a request to it."""

    def __init__(self, message: str) -> None:
        super().__init__(on_one_line(message))


class StoreUnreachableError(StoreError):
    """The store cannot be read at all. This never means that the store is empty."""


class FormatTooNewError(StoreError):
    """A document has a format that this release does not know."""


class DamagedError(StoreError):
    """A document or file differs from the published one."""


class NotFoundError(StoreError):
    """The store does not hold the requested model, version or label."""


class InvalidNameError(StoreError):
    """A name does not match its pattern. It was not used as a path."""
