"""What looking at a store found, and what changing it did, as a person reads it, on stdout."""

from __future__ import annotations

import sys
from typing import Any

from model_sync.cli.print_fields import share_of
from model_sync.cli.table import table_lines
from model_sync.progress import readable_bytes
from model_sync.text import pluralize


def moved(found: dict[str, Any]) -> None:
    """Print a label's move: `latest of magika is version 3, was version 4 (generation 9)`."""
    what, version = f"{found['label']} of {found['model']}", found["version"]
    now = "is gone" if version is None else f"is version {version}"
    before = "new" if found["before"] is None else f"was version {found['before']}"
    if found["changed"]:
        _line(f"{what} {now}, {before} (generation {found['generation']})")
    elif version is None:
        _line(f"unchanged: {found['model']} has no label {found['label']}")
    else:
        _line(f"unchanged: {what} {now}")


def split(found: dict[str, Any]) -> None:
    """Print a split: `magika: 5% to canary, 95% to latest (generation 9)`."""
    shares = [f"{percent}% to {label}" for label, percent in found["split"].items()]
    shares.append(f"{100 - sum(found['split'].values())}% to latest")
    _line(f"{_unchanged(found)}{found['model']}: {', '.join(shares)}{_generation(found)}")


def retired(found: dict[str, Any]) -> None:
    """Print that a version was taken from service."""
    _line(
        f"{_unchanged(found)}{found['model']} version {found['version']} is retired, and may be "
        f"swept after {found['sweep_after']}{_generation(found)}"
    )


def model_deleted(found: dict[str, Any]) -> None:
    """Print that a model was taken from service."""
    count, size = len(found["versions"]), readable_bytes(found["size_bytes"])
    after = f", swept after {found['sweep_after']}" if count else ""
    _line(
        f"{_unchanged(found)}{found['model']} is out of service: {pluralize(count, 'version')}, "
        f"{size}{after}{_generation(found)}"
    )


def held(found: dict[str, Any]) -> None:
    """Print a hold."""
    _line(
        f"{found['model']} version {found['version']} is held by {found['job']} until "
        f"{found['until']}{_generation(found)}"
    )


def released(found: dict[str, Any]) -> None:
    """Print that a hold is gone."""
    _line(
        f"{_unchanged(found)}{found['job']} holds nothing of {found['model']}{_generation(found)}"
    )


def settled(found: dict[str, Any]) -> None:
    """Print the newest generations."""
    for model in found["models"]:
        _line(f"{model['name']}: generation {model['generation']}")
    if not found["models"]:
        _line("nothing is published")


def history(found: dict[str, Any]) -> None:
    """Print a model's changes as a table, the newest first."""
    rows = [
        (
            str(each["generation"]),
            each["when"],
            each["who"],
            each["verb"],
            ", ".join(
                f"{label}={number}{share_of(label, each['split'])}"
                for label, number in each["labels"].items()
            ),
            each["reason"],
        )
        for each in found["generations"]
    ]
    for line in table_lines(("GENERATION", "WHEN", "WHO", "VERB", "LABELS", "REASON"), rows):
        _line(line)


def shown(found: dict[str, Any]) -> None:
    """Print everything about a version."""
    _line(f"{found['model']} version {found['version']}, {found['version_state']}")
    facts = {
        "labels": ", ".join(found["labels"]) or "none",
        "share": ", ".join(f"{share}% by {label}" for label, share in found["split"].items()),
        "holds": ", ".join(f"{job} until {until}" for job, until in found["holds"].items()),
        "published": found["published_at"],
        "retired": found["retired_at"],
        "swept after": found["sweep_after"],
        "size": readable_bytes(found["size_bytes"]),
        "digest": found["digest"],
        "packages": found.get("packages"),
        "pipeline": found.get("pipeline"),
        "golden cases": ", ".join(found.get("golden_cases", ())),
    }
    for name, value in facts.items():
        if value:
            _line(f"  {name:<13} {value}")
    for side in ("inputs", "outputs"):
        for spec in found.get("signature", {}).get(side, ()):
            _line(
                f"  {side[:-1]:<13} {spec['name']}: {spec['datatype']} {shape_text(spec['shape'])}"
            )
    for runtime, preparation in found.get("preparations", {}).items():
        _line(f"  prepared for  {runtime}: {_chosen(preparation)}")
        _tried(preparation)
    for file in found.get("files", ()):
        _line(f"  file          {file['path']} ({readable_bytes(file['size_bytes'])})")


def prepared(found: dict[str, Any]) -> None:
    """Print for what each version is prepared, and what was tried."""
    for each in found["prepared"]:
        _line(
            f"{'' if each['created'] else 'unchanged: '}{found['model']} version "
            f"{each['version']} is prepared for {each['runtime']}: {each['variant']}"
        )
        _tried(each)


def shape_text(shape: list[int] | None) -> str:
    """A tensor's shape as a person reads it: `[any, 3]`."""
    if shape is None:
        return "of any rank"
    return f"[{', '.join('any' if size < 0 else str(size) for size in shape)}]"


def _chosen(preparation: dict[str, Any]) -> str:
    replacement = preparation["replacement"]
    return f"{preparation['chosen']}, then {replacement}" if replacement else preparation["chosen"]


def _tried(preparation: dict[str, Any]) -> None:
    _line(f"    {preparation['why']}")
    for variant in preparation["variants"]:
        _line(f"    {variant['name']}{_blocks(variant)}: {_measured(variant)}")


def _blocks(variant: dict[str, Any]) -> str:
    return f" (blocks of {variant['block_width']})" if variant["block_width"] else ""


def _measured(variant: dict[str, Any]) -> str:
    if variant["refused"] is not None:
        return f"refused, {variant['refused']}"
    measured = variant["measurement"]
    return (
        f"load {measured['load_ms']:.1f} ms, first answer {measured['first_ms']:.1f} ms, warm "
        f"{measured['warm_ms']:.2f} ms, {readable_bytes(measured['resident_bytes'])} "
        f"resident{_mapped(measured)}, {readable_bytes(measured['peak_bytes'])} at the peak"
    )


def _mapped(measured: dict[str, Any]) -> str:
    return f" ({readable_bytes(measured['mapped_bytes'])} of it mapped)"


def _unchanged(found: dict[str, Any]) -> str:
    return "" if found["changed"] else "unchanged: "


def _generation(found: dict[str, Any]) -> str:
    return f" (generation {found['generation']})" if found["changed"] else ""


def _line(text: str) -> None:
    sys.stdout.write(text + "\n")
