"""Requests to the sync function, as values. Pure.

    {"verb": "publish", "request_id", "source", "model", "label", "reason", "who",
     "allow_signature_change", "resume"}
    {"verb": "publish-packages", "request_id", "source"}
    {"verb": "list"}    {"verb": "list-packages"}    {"coldpress": "probe"}
    {"verb": <one of admin/operations.py>, "request_id", "who", <the verb's fields>}

A publication's source is the key of uploaded contents (stage/uploads.py) or `s3://BUCKET/PREFIX/`; a
package set's is the key of an uploaded set. Who asks makes up `request_id`: it names the progress.
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
_MOST_CHARACTERS: Final = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishRequest:
    """What to publish, as what. `model` None: what the recipe says, else the prefix's last name."""

    request_id: str
    source: str
    model: str | None = None
    label: str = LATEST
    reason: str = ""
    who: str | None = None
    """Who asked, for the model's history; None: this function did by itself."""
    allow_signature_change: bool = False
    """Also where callers of the version that the label names would be broken."""
    resume: str | None = None
    """The staging folder in which an invocation before this one got on."""

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
    """The request's id, which becomes part of a key; raises RequestError."""
    request_id = _text(event, "request_id") or ""
    if not _REQUEST_ID.fullmatch(request_id):
        raise RequestError(f"request_id {request_id[:64]!r} is not 1 to 64 letters, digits, - or _")
    return request_id


def source_of(event: Mapping[str, Any]) -> str:
    """What is to be published, a key or an address; raises RequestError."""
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
    if not isinstance(value, str) or len(value) > _MOST_CHARACTERS:
        raise RequestError(f"{key!r} is not a text of at most {_MOST_CHARACTERS} characters")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise RequestError(f"{key!r} is not UTF-8 text") from None
    return value
