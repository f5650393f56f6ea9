"""What verbs found, as a person reads it, on stdout."""

from __future__ import annotations

import sys
from typing import Any

from model_sync.cli.table import table_lines
from model_sync.progress import readable_bytes


def published(found: dict[str, Any], *, changed: bool) -> None:
    """Print what publishing a model came to: `published magika version 3 (latest)`."""
    what = "published" if found["created"] else "updated" if changed else "unchanged:"
    labels = ", ".join(found["labels"])
    _line(f"{what} {found['model']} version {found['version']} ({labels})")


def models(found: list[dict[str, Any]], where: str) -> None:
    """Print models and their versions as a table, the newest first."""
    if not found:
        _line(f"nothing is published in {where}")
        return
    rows = [
        (
            model["name"],
            str(version["version"]),
            ", ".join(labels_of(model, version["version"])),
            version["state"],
            readable_bytes(version["size_bytes"]),
            version["published_at"],
        )
        for model in found
        for version in reversed(model["versions"])
    ]
    headings = ("MODEL", "VERSION", "LABELS", "STATE", "SIZE", "PUBLISHED")
    for line in table_lines(headings, rows, right={"VERSION", "SIZE"}):
        _line(line)


def labels_of(model: dict[str, Any], version: int) -> list[str]:
    """The labels that name a version, each with its share of the calls if it has one."""
    return [
        label + share_of(label, model["split"])
        for label, named in model["labels"].items()
        if named == version
    ]


def share_of(label: str, split: dict[str, int]) -> str:
    """A label's share of the calls as it follows the label: ` (5%)`, or nothing."""
    return f" ({split[label]}%)" if label in split else ""


def _line(text: str) -> None:
    sys.stdout.write(text + "\n")
