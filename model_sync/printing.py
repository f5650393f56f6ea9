"""What verbs found, as a person reads it, on stdout."""

from __future__ import annotations

import sys
from typing import Any

from model_sync.progress import readable_bytes


def published(found: dict[str, Any], *, changed: bool) -> None:
    """Print what publishing a model came to: `published magika version 3 (latest)`."""
    what = "published" if found["created"] else "updated" if changed else "unchanged:"
    labels = ", ".join(found["labels"])
    _line(f"{what} {found['model']} version {found['version']} ({labels})")


def published_packages(found: dict[str, Any]) -> None:
    """Print what publishing a package set came to."""
    what = "published" if found["created"] else "unchanged:"
    size = readable_bytes(found["size_bytes"])
    _line(f"{what} {found['digest']} ({len(found['packages'])} packages, {size})")


def packages(found: list[dict[str, Any]], where: str) -> None:
    """Print package sets, a line each."""
    for each in found:
        names = ", ".join(f"{name} {version}" for name, version in each["packages"].items())
        size = readable_bytes(each["size_bytes"])
        _line(f"{each['digest']}  Python {each['target']['python']}  {size}  {names}")
    if not found:
        _line(f"no package set is published in {where}")


def models(found: list[dict[str, Any]], where: str) -> None:
    """Print models and their versions as a table, the newest first."""
    if not found:
        _line(f"nothing is published in {where}")
        return
    from rich.console import Console  # noqa: PLC0415 - only a table needs it
    from rich.table import Table  # noqa: PLC0415

    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("MODEL", "VERSION", "LABELS", "STATE", "SIZE", "PUBLISHED"):
        table.add_column(heading, justify="right" if heading in {"VERSION", "SIZE"} else "left")
    for model in found:
        for version in reversed(model["versions"]):
            number = version["version"]
            labels = [label for label, named in model["labels"].items() if named == number]
            table.add_row(
                model["name"],
                str(number),
                ", ".join(labels),
                version["state"],
                readable_bytes(version["size_bytes"]),
                version["published_at"],
            )
    # In a pipe nobody knows the width: rather long lines than cut ones.
    Console(width=None if sys.stdout.isatty() else 200).print(table)


def _line(text: str) -> None:
    sys.stdout.write(text + "\n")
