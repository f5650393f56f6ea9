"""Published models, printed on stdout for a person."""

from __future__ import annotations

from typing import Any

from model_sync.cli.output import print_facts, print_line, print_table, shape_text
from model_sync.progress import readable_bytes


def published(found: dict[str, Any], *, changed: bool) -> None:
    """Print what publishing a model came to: `published magika version 3 (latest)`."""
    what = "published" if found["created"] else "updated" if changed else "unchanged:"
    labels = ", ".join(found["labels"])
    print_line(f"{what} {found['model']} version {found['version']} ({labels})")


def models(found: list[dict[str, Any]], where: str) -> None:
    """Print models and their versions as a table, the newest first."""
    if not found:
        print_line(f"nothing is published in {where}")
        return
    rows = [
        (
            model["name"],
            str(version["version"]),
            ", ".join(_labels_of(model, version["version"])),
            version["state"],
            readable_bytes(version["size_bytes"]),
            version["published_at"],
        )
        for model in found
        for version in reversed(model["versions"])
    ]
    headings = ("MODEL", "VERSION", "LABELS", "STATE", "SIZE", "PUBLISHED")
    print_table(headings, rows, right={"VERSION", "SIZE"})


def history(found: dict[str, Any]) -> None:
    """Print a model's changes as a table, the newest first."""
    rows = [
        (
            str(each["generation"]),
            each["when"],
            each["who"],
            each["verb"],
            ", ".join(
                f"{label}={number}{_share_of(label, each['split'])}"
                for label, number in each["labels"].items()
            ),
            each["reason"],
        )
        for each in found["generations"]
    ]
    print_table(("GENERATION", "WHEN", "WHO", "VERB", "LABELS", "REASON"), rows)


def shown(found: dict[str, Any]) -> None:
    """Print everything about a version."""
    print_line(f"{found['model']} version {found['version']}, {found['version_state']}")
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
    print_facts(facts, 13)
    for side in ("inputs", "outputs"):
        for spec in found.get("signature", {}).get(side, ()):
            print_line(
                f"  {side[:-1]:<13} {spec['name']}: {spec['datatype']} {shape_text(spec['shape'])}"
            )
    for runtime, preparation in found.get("preparations", {}).items():
        print_line(f"  prepared for  {runtime}: {_chosen(preparation)}")
        _tried(preparation)
    for file in found.get("files", ()):
        print_line(f"  file          {file['path']} ({readable_bytes(file['size_bytes'])})")


def prepared(found: dict[str, Any]) -> None:
    """Print for what each version is prepared, and what was tried."""
    for each in found["prepared"]:
        print_line(
            f"{'' if each['created'] else 'unchanged: '}{found['model']} version "
            f"{each['version']} is prepared for {each['runtime']}: {each['variant']}"
        )
        _tried(each)


def _chosen(preparation: dict[str, Any]) -> str:
    replacement = preparation["replacement"]
    return f"{preparation['chosen']}, then {replacement}" if replacement else preparation["chosen"]


def _tried(preparation: dict[str, Any]) -> None:
    print_line(f"    {preparation['why']}")
    for variant in preparation["variants"]:
        print_line(f"    {variant['name']}{_blocks(variant)}: {_measured(variant)}")


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


def _labels_of(model: dict[str, Any], version: int) -> list[str]:
    """The labels that name a version, each with its share of the calls if it has one."""
    return [
        label + _share_of(label, model["split"])
        for label, named in model["labels"].items()
        if named == version
    ]


def _share_of(label: str, split: dict[str, int]) -> str:
    """A label's share of the calls as it follows the label: ` (5%)`, or nothing."""
    return f" ({split[label]}%)" if label in split else ""
