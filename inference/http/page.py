"""The page that `GET /` answers, with the headers that say what it may do. Read at its first call.

The page is one file without anything from elsewhere: its policy (Content Security Policy Level 3)
allows its own style and its own script, by their digests, and calls to where it came from. Nothing
can become markup (Trusted Types): what a store or a model says is text.
"""

from __future__ import annotations

import functools
import hashlib
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import pybase64

if TYPE_CHECKING:
    from collections.abc import Mapping

_FILE: Final = Path(__file__).with_name("page.html")
_INLINE: Final = re.compile(r"<(style|script)>(.*?)</\1>", re.DOTALL)


class Page(NamedTuple):
    """The page as it is sent. `etag` is weak: compressed it is the same page."""

    text: str
    content_type: str
    etag: str
    headers: Mapping[str, str]


@functools.cache
def load_page() -> Page:
    """Read the page; once in a process."""
    text = _FILE.read_text(encoding="utf-8")
    etag = f'W/"{hashlib.sha256(text.encode()).hexdigest()[:32]}"'
    headers = {
        "Cache-Control": "no-cache",  # kept, and asked for again: it goes with the code
        "Content-Security-Policy": _policy(text),
        "ETag": etag,
        "Referrer-Policy": "no-referrer",
        "Vary": "Accept-Encoding",
        "X-Content-Type-Options": "nosniff",
    }
    return Page(text, "text/html; charset=utf-8", etag, headers)


def _policy(text: str) -> str:
    inline: dict[str, list[str]] = {"style": [], "script": []}
    for kind, content in _INLINE.findall(text):
        digest = pybase64.b64encode_as_string(hashlib.sha256(content.encode()).digest())
        inline[kind].append(f"'sha256-{digest}'")
    directives = {
        "default-src": "'none'",
        "style-src": " ".join(inline["style"]),
        "script-src": " ".join(inline["script"]),
        "connect-src": "'self'",
        "img-src": "blob: data:",  # an answer that is a picture; the page's icon
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
        "require-trusted-types-for": "'script'",
        "trusted-types": "'none'",
    }
    return "; ".join(f"{name} {value}" for name, value in directives.items())
