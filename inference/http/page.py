"""The page that `GET /` answers, with its headers. The file is read by the first call for it.

The page is one file that loads nothing from other addresses. Its policy (Content Security Policy
Level 3) allows only its own style and script, by their digests, and calls to its own server.
Trusted Types keep text of a store or a model from becoming markup.
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
    """The page as it is sent. `etag` is weak: it is the same for the compressed page."""

    text: str
    content_type: str
    etag: str
    headers: Mapping[str, str]


@functools.cache
def load_page() -> Page:
    """Read the page; cached for the process."""
    text = _FILE.read_text(encoding="utf-8")
    etag = f'W/"{hashlib.sha256(text.encode()).hexdigest()[:32]}"'
    headers = {
        "Cache-Control": "no-cache",  # cached, but revalidated: the page changes with the code
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
        "img-src": "blob: data:",  # an image that a model answers; the page's icon
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
        "require-trusted-types-for": "'script'",
        "trusted-types": "'none'",
    }
    return "; ".join(f"{name} {value}" for name, value in directives.items())
