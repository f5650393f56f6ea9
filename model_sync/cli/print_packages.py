"""What verbs found of package sets, as a person reads it, on stdout."""

from __future__ import annotations

from typing import Any, Final

from model_sync.cli.output import print_facts, print_line, print_table
from model_sync.progress import readable_bytes
from model_sync.text import pluralize

_DIGITS: Final = 12
_MOST_NAMED: Final = 4


def published(found: dict[str, Any]) -> None:
    """Print what publishing a package set came to."""
    what = "published" if found["created"] else "unchanged:"
    size = readable_bytes(found["size_bytes"])
    packages = pluralize(len(found["packages"]), "package")
    print_line(f"{what} {found['digest']} ({packages}, {size}; left out: {_left_out(found)})")


def listed(found: list[dict[str, Any]], where: str) -> None:
    """Print package sets as a table, the newest first, by what their digests begin with.

    `PINS`: how many versions pin a set.
    """
    if not found:
        print_line(f"no package set is published in {where}")
        return
    digests = [each["digest"] for each in found]
    rows = [
        (
            _short(each["digest"], digests),
            each["target"]["python"],
            each["target"]["platform"],
            readable_bytes(each["size_bytes"]),
            str(each["files"]),
            str(len(each["pinned_by"])),
            each["created_at"],
            f"{len(each['packages'])}: {_named(each['packages'])}",
        )
        for each in sorted(found, key=lambda each: str(each["created_at"]), reverse=True)
    ]
    headings = ("DIGEST", "PYTHON", "PLATFORM", "SIZE", "FILES", "PINS", "PUBLISHED", "PACKAGES")
    print_table(headings, rows, right={"SIZE", "FILES", "PINS"})


def shown(found: dict[str, Any]) -> None:
    """Print everything about a package set."""
    print_line(f"package set {found['digest']}")
    target = found["target"]
    pinned = ", ".join(f"{each['model']}@{each['version']}" for each in found["pinned_by"])
    facts = {
        "target": f"Python {target['python']} on {target['platform']}",
        "size": f"{readable_bytes(found['size_bytes'])} in {pluralize(found['files'], 'file')}",
        "left out": _left_out(found),
        "published": found["created_at"],
        "pinned by": pinned or "no version",
    }
    print_facts(facts, 10)
    for name, version in found["packages"].items():
        print_line(f"  {'package':<10} {name} {version}")


def constraints(found: dict[str, Any]) -> None:
    """Print what a runtime brings, as a file of constraints."""
    target = found["target"]
    print_line(f"# What the runtime brings to Python {target['python']} on {target['platform']}.")
    for name, version in found["constraints"].items():
        print_line(f"{name}=={version}")


def _short(digest: str, among: list[str]) -> str:
    """What a digest begins with, and no other."""
    algorithm, _, digits = digest.partition(":")
    for length in range(_DIGITS, len(digits)):
        short = f"{algorithm}:{digits[:length]}"
        if sum(each.startswith(short) for each in among) == 1:
            return short
    return digest


def _left_out(found: dict[str, Any]) -> str:
    files = pluralize(found["left_out_files"], "file")
    size = f"{files}, {readable_bytes(found['left_out_bytes'])}"
    return size if found["pruned"] else f"{size}, not pruned"


def _named(packages: dict[str, str]) -> str:
    names = [f"{name} {version}" for name, version in packages.items()]
    more = len(names) - _MOST_NAMED
    return ", ".join(names[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
