"""Results of verbs that change a model, printed on stdout for a person."""

from __future__ import annotations

from typing import Any

from model_sync.cli.output import print_line
from model_sync.progress import readable_bytes
from model_sync.text import pluralize


def moved(found: dict[str, Any]) -> None:
    """Print a label's move: `latest of magika is version 3, was version 4 (generation 9)`."""
    what, version = f"{found['label']} of {found['model']}", found["version"]
    now = "is gone" if version is None else f"is version {version}"
    before = "new" if found["before"] is None else f"was version {found['before']}"
    if found["changed"]:
        print_line(f"{what} {now}, {before} (generation {found['generation']})")
    elif version is None:
        print_line(f"unchanged: {found['model']} has no label {found['label']}")
    else:
        print_line(f"unchanged: {what} {now}")


def split(found: dict[str, Any]) -> None:
    """Print a split: `magika: 5% to canary, 95% to latest (generation 9)`."""
    shares = [f"{percent}% to {label}" for label, percent in found["split"].items()]
    shares.append(f"{100 - sum(found['split'].values())}% to latest")
    print_line(f"{_unchanged(found)}{found['model']}: {', '.join(shares)}{_generation(found)}")


def retired(found: dict[str, Any]) -> None:
    """Print that a version was taken from service."""
    print_line(
        f"{_unchanged(found)}{found['model']} version {found['version']} is retired, and may be "
        f"swept after {found['sweep_after']}{_generation(found)}"
    )


def model_deleted(found: dict[str, Any]) -> None:
    """Print that a model was taken from service."""
    count, size = len(found["versions"]), readable_bytes(found["size_bytes"])
    after = f", swept after {found['sweep_after']}" if count else ""
    print_line(
        f"{_unchanged(found)}{found['model']} is out of service: {pluralize(count, 'version')}, "
        f"{size}{after}{_generation(found)}"
    )


def held(found: dict[str, Any]) -> None:
    """Print a hold."""
    print_line(
        f"{found['model']} version {found['version']} is held by {found['job']} until "
        f"{found['until']}{_generation(found)}"
    )


def released(found: dict[str, Any]) -> None:
    """Print that a hold is gone."""
    print_line(
        f"{_unchanged(found)}{found['job']} holds nothing of {found['model']}{_generation(found)}"
    )


def settled(found: dict[str, Any]) -> None:
    """Print the newest generations."""
    for model in found["models"]:
        print_line(f"{model['name']}: generation {model['generation']}")
    if not found["models"]:
        print_line("nothing is published")


def _unchanged(found: dict[str, Any]) -> str:
    return "" if found["changed"] else "unchanged: "


def _generation(found: dict[str, Any]) -> str:
    return f" (generation {found['generation']})" if found["changed"] else ""
