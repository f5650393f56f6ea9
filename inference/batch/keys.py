"""Keys of a batch: an input's key names its model and determines its outputs' keys. Pure.

    magika/2026/report.pdf   ->  magika/3/2026/report.pdf.out            answered by version 3
                                 magika/3/2026/report.pdf.errors.jsonl   only if a record failed
                                 magika/3/2026/report.pdf.summary.json   written last

No two inputs of a model share an output, because none of the three suffixes ends with another.
"""

from __future__ import annotations

import mimetypes
from dataclasses import dataclass
from typing import Final

from inference.batch.errors import EventError
from model_store.errors import InvalidNameError
from model_store.names import check_model

BINARY: Final = "application/octet-stream"
MAX_KEY_BYTES: Final = 1024
"""S3's limit."""

# Python's own table: a machine's mime.types must not change a batch's answers.
_TYPES: Final = mimetypes.MimeTypes()


@dataclass(frozen=True, slots=True)
class OutputKeys:
    """Keys of the outputs of one object."""

    answers: str
    errors: str
    summary: str


def split_key(key: str) -> tuple[str, str]:
    """Split an input's key into the model's name and the rest; raises EventError."""
    model, slash, name = key.partition("/")
    try:
        check_model(model)
    except InvalidNameError as error:
        raise EventError(f"the key {key!r} names no model: {error}") from None
    if not slash or not name:
        raise EventError(f"the key {key!r} names no model: expected MODEL/NAME")
    return model, name


def output_keys(model: str, version: int, name: str) -> OutputKeys:
    """Return the keys of the outputs of `name`; raises EventError if S3 would refuse one."""
    stem = f"{model}/{version}/{name}"
    keys = OutputKeys(f"{stem}.out", f"{stem}.errors.jsonl", f"{stem}.summary.json")
    size = max(len(keys.errors.encode()), len(keys.summary.encode()))
    if size > MAX_KEY_BYTES:
        raise EventError(
            f"the key {name[:80]!r}... is too long: its outputs' keys would take {size} bytes "
            f"of {MAX_KEY_BYTES}"
        )
    return keys


def is_json_lines(name: str) -> bool:
    """Return True if each line of the object is a record; any other object is one record."""
    return name.lower().endswith(".jsonl")


def content_type_of(name: str) -> str:
    """Return the content type for a name's extension; for a compressed file, `BINARY`."""
    content_type, encoding = _TYPES.guess_type(name.rpartition("/")[2])
    return content_type if content_type and not encoding else BINARY
