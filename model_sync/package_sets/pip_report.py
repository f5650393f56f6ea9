"""Read pip's log of a download: existing wheels of a missing package, and yanked versions. Pure.

pip's error only says that nothing was found, and pip accepts a pinned version that was yanked
(PEP 592). Its log (`--log`) names every file that it skipped, and the reason.

pip's JSON report (`pip install --dry-run --report`) cannot replace the log: `pip download` does not
write one, a failed run writes none, and it has no reason for a yank.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple, Self
from urllib.parse import unquote

from installer.utils import parse_wheel_filename

from model_store.lines import on_one_line
from model_sync.package_sets.names import canonical_name

if TYPE_CHECKING:
    from collections.abc import Iterable

    from model_store.package_set import Target

_MAX_LISTED: Final = 6

_MISSING: Final = re.compile(
    r"No matching distribution found for ([A-Za-z0-9._-]+)(?:\[[^]]*\])?==([^\s;,(]+)"
)
_VERSIONS: Final = re.compile(r"Could not find a version .* \(from versions: (.*)\)")
_NEEDS_PYTHON: Final = re.compile(r"Skipping link: (\S+) Requires-Python ([^:]+): (\S+)")
_SKIPPED: Final = re.compile(r"Skipping link: .*?: (\w+:\S+)")
_YANKED: Final = re.compile(
    r"yanked version: '([^']*)' candidate \(version (\S+) at .*\n.*?Reason for being yanked: (.*)"
)
_SOURCES: Final = (".tar.gz", ".zip", ".tar.bz2", ".tgz", ".tar.xz")


class Missing(NamedTuple):
    """A package for which pip found no wheel, by its pinned name and version."""

    name: str
    version: str

    @classmethod
    def of_error(cls, stderr: str) -> Self | None:
        """Return the package that pip did not find; None if pip failed for another reason."""
        found = _MISSING.search(stderr)
        return cls(found[1], found[2]) if found else None

    def explain(self, log: str, target: Target) -> str:
        """Return a message: why there is no wheel for the target, and what exists instead."""
        wanted = f"for Python {target.python} on {target.platform}"
        needed = self._needed_python(log)
        if needed:
            return f"{self} needs Python {needed}: there is no wheel {wanted}"
        files = _files(log)
        tags = [tag for file in files for tag in self._tags_of(file)]
        if tags:
            there = _list(sorted(tags, key=lambda tag: (not _near(tag, target), tag)))
            return f"{self} has no wheel {wanted}: there are wheels for {there}"
        sources = [file for file in files if self._is_source(file)]
        if sources:
            return (
                f"{self} has no wheel {wanted}: there is only a source archive ({sources[0]}), and "
                "nothing is built here: build a wheel of it, or pin a version that has one"
            )
        others = _VERSIONS.search(log)
        if others and others[1] != "none":
            newest = [version.strip() for version in others[1].split(",")][: -_MAX_LISTED - 1 : -1]
            return f"there is no {self}: the newest with wheels {wanted} are {', '.join(newest)}"
        if any(_is_of(file, self.name) for file in files):
            return f"there is no {self}, and no other version of it {wanted}"
        return f"pip finds no package {self.name}"

    def __str__(self) -> str:
        return f"{self.name} {self.version}"

    def _needed_python(self, log: str) -> str | None:
        for version, needed, url in _NEEDS_PYTHON.findall(log):
            if version == self.version and _is_of(_file_of(url), self.name):
                return str(needed).strip()
        return None

    def _tags_of(self, file: str) -> list[str]:
        try:
            parsed = parse_wheel_filename(file)
        except ValueError:
            return []
        same = canonical_name(parsed.distribution) == canonical_name(self.name)
        return [parsed.tag] if same and parsed.version == self.version else []

    def _is_source(self, file: str) -> bool:
        stem = next((file.removesuffix(end) for end in _SOURCES if file.endswith(end)), "")
        name, _, version = stem.rpartition("-")
        return canonical_name(name) == canonical_name(self.name) and version == self.version


def describe_yanked(log: str) -> str | None:
    """Return a message with the yanked versions that were downloaded, and why; None if none."""
    found = [
        f"{name} {version} was yanked ({_reason(reason)})"
        for name, version, reason in _YANKED.findall(log)
    ]
    return f"{'; '.join(found)}: pin another version" if found else None


def _reason(reason: str) -> str:
    stripped = on_one_line(reason.strip())
    return "no reason is given" if stripped in {"", "<none given>"} else stripped


def _files(log: str) -> list[str]:
    return list(dict.fromkeys(_file_of(url) for url in _SKIPPED.findall(log)))


def _file_of(url: str) -> str:
    return on_one_line(unquote(re.split("[#?]", url)[0].rpartition("/")[2]))


def _is_of(file: str, name: str) -> bool:
    return canonical_name(file).startswith(f"{canonical_name(name)}-")


def _near(tag: str, target: Target) -> bool:
    python = f"cp{target.python.replace('.', '')}-"
    return target.machine in tag and (tag.startswith(python) or "linux" in tag)


def _list(tags: Iterable[str]) -> str:
    known = list(dict.fromkeys(tags))
    more = len(known) - _MAX_LISTED
    return ", ".join(known[:_MAX_LISTED]) + (f" and {more} more" if more > 0 else "")
