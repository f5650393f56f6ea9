"""Requirements that pip would have to build, found before it is let at them.

`--only-binary` holds for what a registry offers. Of a source archive, a folder or a repository that
a requirement names by its address, pip runs the build script all the same, if only to learn what
it is called. Nothing is built here, so a requirement with an address must name a wheel. Files that
a requirements file includes (`-r`) are looked through as well, those on this machine.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_CONTINUED: Final = re.compile(r"\\\r?\n")
_COMMENT: Final = re.compile(r"(^|\s)#.*")
_INCLUDED: Final = re.compile(r"(?:-r|--requirement)[\s=]*(\S+)")
_EDITABLE: Final = re.compile(r"(?:-e|--editable)[\s=]*(\S.*)")
_OPTIONS: Final = re.compile(r"\s--?[a-z].*")
_NAMED: Final = re.compile(r"[A-Za-z0-9._-]+\s*(?:\[[^]]*\])?\s*@\s*(?P<address>\S.*)")
_ADDRESS: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:.*|.*/.*|\.+|.*\.(?:zip|tar|tgz|tar\..*)")
_WHEEL: Final = ".whl"


def first_source_requirement(requirements: Path) -> str | None:
    """The first requirement that names by its address what is no wheel; None if none does.

    Raises OSError.
    """
    return next(_source_requirements(requirements, set()), None)


def _source_requirements(path: Path, seen: set[Path]) -> Iterator[str]:
    if path in seen:
        return
    seen.add(path)
    text = _CONTINUED.sub(" ", path.read_text("utf-8", "replace"))
    for line in text.splitlines():
        text_of_line = _COMMENT.sub("", line).strip()
        included, editable = _INCLUDED.fullmatch(text_of_line), _EDITABLE.fullmatch(text_of_line)
        if included:
            inner = path.parent / included[1]
            if inner.is_file():  # if not, pip says so
                yield from _source_requirements(inner, seen)
        elif editable:
            yield editable[1]
        elif not text_of_line.startswith("-"):
            requirement = _OPTIONS.sub("", text_of_line.split(" ;")[0]).strip()
            if _names_no_wheel(requirement):
                yield requirement


def _names_no_wheel(requirement: str) -> bool:
    named = _NAMED.fullmatch(requirement)
    address = named["address"] if named else requirement
    if not named and not _ADDRESS.fullmatch(address):
        return False
    try:
        return not urlsplit(address).path.endswith(_WHEEL)
    except ValueError:  # no address after all: pip says so
        return False
