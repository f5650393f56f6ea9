"""Results of verbs that change a model, printed on stdout for a person."""

from __future__ import annotations

from typing import Any

from model_sync.cli.output import print_line
from model_sync.progress import readable_bytes
from model_sync.text import pluralize


def label_move(result: dict[str, Any]) -> None:
    """Print a label's move: `latest of magika is version 3, was version 4 (generation 9)`."""
    what, version = f"{result['label']} of {result['model']}", result["version"]
    now = "is gone" if version is None else f"is version {version}"
    before = "new" if result["before"] is None else f"was version {result['before']}"
    if result["changed"]:
        print_line(f"{what} {now}, {before} (generation {result['generation']})")
    elif version is None:
        print_line(f"unchanged: {result['model']} has no label {result['label']}")
    else:
        print_line(f"unchanged: {what} {now}")


def split(result: dict[str, Any]) -> None:
    """Print a split: `magika: 5% to canary, 95% to latest (generation 9)`."""
    shares = [f"{percent}% to {label}" for label, percent in result["split"].items()]
    shares.append(f"{100 - sum(result['split'].values())}% to latest")
    print_line(f"{_unchanged(result)}{result['model']}: {', '.join(shares)}{_generation(result)}")


def retirement(result: dict[str, Any]) -> None:
    """Print that a version is retired."""
    print_line(
        f"{_unchanged(result)}{result['model']} version {result['version']} is retired, and may be "
        f"swept after {result['sweep_after']}{_generation(result)}"
    )


def model_deletion(result: dict[str, Any]) -> None:
    """Print that a model is out of service."""
    count, size = len(result["versions"]), readable_bytes(result["size_bytes"])
    after = f", swept after {result['sweep_after']}" if count else ""
    print_line(
        f"{_unchanged(result)}{result['model']} is out of service: {pluralize(count, 'version')}, "
        f"{size}{after}{_generation(result)}"
    )


def hold(result: dict[str, Any]) -> None:
    """Print a hold."""
    print_line(
        f"{result['model']} version {result['version']} is held by {result['job']} until "
        f"{result['until']}{_generation(result)}"
    )


def release(result: dict[str, Any]) -> None:
    """Print that a hold is gone."""
    print_line(
        f"{_unchanged(result)}{result['job']} holds nothing of {result['model']}"
        f"{_generation(result)}"
    )


def generations(result: dict[str, Any]) -> None:
    """Print the newest generations."""
    for model in result["models"]:
        print_line(f"{model['name']}: generation {model['generation']}")
    if not result["models"]:
        print_line("nothing is published")


def _unchanged(result: dict[str, Any]) -> str:
    return "" if result["changed"] else "unchanged: "


def _generation(result: dict[str, Any]) -> str:
    return f" (generation {result['generation']})" if result["changed"] else ""
