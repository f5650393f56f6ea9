"""Requests to the sync function, as values. Pure.

    {"verb": "publish", "request_id", "source", "model", "label", "reason", "who",
     "allow_signature_change", "resume"}
    {"verb": "publish-packages", "request_id", "source"}
    {"verb": "list"}    {"verb": "list-packages"}    {"coldpress": "probe"}
    {"verb": <one of admin/operations.py>, "request_id", "who", <the verb's fields>}

The source of a model is the key of uploaded contents (stage/uploads.py) or `s3://BUCKET/PREFIX/`.
The source of a package set is the key of an uploaded set. The caller chooses `request_id`, which
names the progress object.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self

from model_store.errors import InvalidNameError
from model_store.names import check_id, check_label, check_model
from model_store.refs import LATEST
from model_sync.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

PROBE: Final = 'or {"coldpress": "probe"}'
_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_MAX_CHARACTERS: Final = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishRequest:
    """Request to publish a model. `model` None: the recipe's name, else the prefix's last part."""

    request_id: str
    source: str
    model: str | None = None
    label: str = LATEST
    reason: str = ""
    who: str | None = None
    """The caller, for the model's history; None: this function, for an S3 event."""
    allow_signature_change: bool = False
    """Publish even if the new signature breaks callers of the version that the label names."""
    resume: str | None = None
    """Id of the staging folder of an earlier invocation for this request."""

    @classmethod
    def of_event(cls, event: Mapping[str, Any]) -> Self:
        """Read a request; raises RequestError."""
        return cls(
            request_id=request_id_of(event),
            source=source_of(event),
            model=_name(event, "model", check_model),
            label=_name(event, "label", check_label) or LATEST,
            reason=_text(event, "reason") or "",
            who=_text(event, "who") or None,
            allow_signature_change=_flag(event, "allow_signature_change"),
            resume=_name(event, "resume", check_id),
        )


def request_id_of(event: Mapping[str, Any]) -> str:
    """Return the request's id, which becomes part of a key; raises RequestError."""
    request_id = _text(event, "request_id") or ""
    if not _REQUEST_ID.fullmatch(request_id):
        raise RequestError(f"request_id {request_id[:64]!r} is not 1 to 64 letters, digits, - or _")
    return request_id


def source_of(event: Mapping[str, Any]) -> str:
    """Return the source to publish, a key or an address; raises RequestError."""
    source = _text(event, "source")
    if not source:
        raise RequestError("'source' is missing")
    return source


def _name(event: Mapping[str, Any], key: str, check: Callable[[str], str]) -> str | None:
    text = _text(event, key)
    try:
        return check(text) if text else None
    except InvalidNameError as error:
        raise RequestError(f"{key!r}: {error}") from None


def _flag(event: Mapping[str, Any], key: str) -> bool:
    value = event.get(key, False)
    if type(value) is not bool:
        raise RequestError(f"{key!r} is {value!r}: expected true or false")
    return value


def _text(event: Mapping[str, Any], key: str) -> str | None:
    value = event.get(key)
    if value is None:
        return None
    if not isinstance(value, str) or len(value) > _MAX_CHARACTERS:
        raise RequestError(f"{key!r} is not a text of at most {_MAX_CHARACTERS} characters")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise RequestError(f"{key!r} is not UTF-8 text") from None
    return value
