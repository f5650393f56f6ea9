"""Package sets, printed on stdout for a person."""

from __future__ import annotations

from typing import Any, Final

from model_sync.cli.output import print_facts, print_line, print_table
from model_sync.progress import readable_bytes
from model_sync.text import pluralize

_DIGITS: Final = 12
_MAX_NAMED: Final = 4


def publication(result: dict[str, Any]) -> None:
    """Print the result of publishing a package set."""
    what = "published" if result["created"] else "unchanged:"
    size = readable_bytes(result["size_bytes"])
    packages = pluralize(len(result["packages"]), "package")
    print_line(f"{what} {result['digest']} ({packages}, {size}; left out: {_left_out(result)})")


def set_table(result: list[dict[str, Any]], where: str) -> None:
    """Print package sets as a table, the newest first, by shortened digests.

    `PINS`: number of versions that pin a set.
    """
    if not result:
        print_line(f"no package set is published in {where}")
        return
    digests = [each["digest"] for each in result]
    rows = [
        (
            _shorten(each["digest"], digests),
            each["target"]["python"],
            each["target"]["platform"],
            readable_bytes(each["size_bytes"]),
            str(each["files"]),
            str(len(each["pinned_by"])),
            each["created_at"],
            f"{len(each['packages'])}: {_package_names(each['packages'])}",
        )
        for each in sorted(result, key=lambda each: str(each["created_at"]), reverse=True)
    ]
    headings = ("DIGEST", "PYTHON", "PLATFORM", "SIZE", "FILES", "PINS", "PUBLISHED", "PACKAGES")
    print_table(headings, rows, right={"SIZE", "FILES", "PINS"})


def package_set(result: dict[str, Any]) -> None:
    """Print everything about a package set."""
    print_line(f"package set {result['digest']}")
    target = result["target"]
    pinned = ", ".join(f"{each['model']}@{each['version']}" for each in result["pinned_by"])
    facts = {
        "target": f"Python {target['python']} on {target['platform']}",
        "size": f"{readable_bytes(result['size_bytes'])} in {pluralize(result['files'], 'file')}",
        "left out": _left_out(result),
        "published": result["created_at"],
        "pinned by": pinned or "no version",
    }
    print_facts(facts, 10)
    for name, version in result["packages"].items():
        print_line(f"  {'package':<10} {name} {version}")


def constraints(result: dict[str, Any]) -> None:
    """Print the packages that a runtime brings, as a constraints file."""
    target = result["target"]
    print_line(f"# What the runtime brings to Python {target['python']} on {target['platform']}.")
    for name, version in result["constraints"].items():
        print_line(f"{name}=={version}")


def _shorten(digest: str, among: list[str]) -> str:
    """Return the shortest beginning of a digest that no other digest has."""
    algorithm, _, digits = digest.partition(":")
    for length in range(_DIGITS, len(digits)):
        short = f"{algorithm}:{digits[:length]}"
        if sum(each.startswith(short) for each in among) == 1:
            return short
    return digest


def _left_out(result: dict[str, Any]) -> str:
    files = pluralize(result["left_out_files"], "file")
    size = f"{files}, {readable_bytes(result['left_out_bytes'])}"
    return size if result["pruned"] else f"{size}, not pruned"


def _package_names(packages: dict[str, str]) -> str:
    names = [f"{name} {version}" for name, version in packages.items()]
    more = len(names) - _MAX_NAMED
    return ", ".join(names[:_MAX_NAMED]) + (f" and {more} more" if more > 0 else "")
