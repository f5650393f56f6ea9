"""Find requirements that pip would have to build, before pip runs.

`--only-binary` applies only to files from a registry. If a requirement gives the address of a
source archive, a folder or a repository, pip runs its build script anyway, for example to learn
the package's name. Coldpress builds nothing, so a requirement with an address must name a wheel.
Local files that a requirements file includes (`-r`) are searched, too.
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
    """Return the first requirement whose address is not a wheel, or None. Raises OSError."""
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
            if inner.is_file():  # otherwise pip reports the error
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
    except ValueError:  # not an address: pip reports the error
        return False
