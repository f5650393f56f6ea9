"""Published models, printed on stdout for a person."""

from __future__ import annotations

from typing import Any

from model_sync.cli.output import print_facts, print_line, print_table, shape_text
from model_sync.progress import readable_bytes


def publication(result: dict[str, Any], *, changed: bool) -> None:
    """Print the result of publishing a model: `published magika version 3 (latest)`."""
    what = "published" if result["created"] else "updated" if changed else "unchanged:"
    labels = ", ".join(result["labels"])
    print_line(f"{what} {result['model']} version {result['version']} ({labels})")


def model_table(result: list[dict[str, Any]], where: str) -> None:
    """Print models and their versions as a table, the newest first."""
    if not result:
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
        for model in result
        for version in reversed(model["versions"])
    ]
    headings = ("MODEL", "VERSION", "LABELS", "STATE", "SIZE", "PUBLISHED")
    print_table(headings, rows, right={"VERSION", "SIZE"})


def history(result: dict[str, Any]) -> None:
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
        for each in result["generations"]
    ]
    print_table(("GENERATION", "WHEN", "WHO", "VERB", "LABELS", "REASON"), rows)


def version(result: dict[str, Any]) -> None:
    """Print everything about a version."""
    print_line(f"{result['model']} version {result['version']}, {result['version_state']}")
    facts = {
        "labels": ", ".join(result["labels"]) or "none",
        "share": ", ".join(f"{share}% by {label}" for label, share in result["split"].items()),
        "holds": ", ".join(f"{job} until {until}" for job, until in result["holds"].items()),
        "published": result["published_at"],
        "retired": result["retired_at"],
        "swept after": result["sweep_after"],
        "size": readable_bytes(result["size_bytes"]),
        "digest": result["digest"],
        "packages": result.get("packages"),
        "pipeline": result.get("pipeline"),
        "golden cases": ", ".join(result.get("golden_cases", ())),
    }
    print_facts(facts, 13)
    for side in ("inputs", "outputs"):
        for spec in result.get("signature", {}).get(side, ()):
            print_line(
                f"  {side[:-1]:<13} {spec['name']}: {spec['datatype']} {shape_text(spec['shape'])}"
            )
    for runtime, preparation in result.get("preparations", {}).items():
        print_line(f"  prepared for  {runtime}: {_choice(preparation)}")
        _print_variants(preparation)
    for file in result.get("files", ()):
        print_line(f"  file          {file['path']} ({readable_bytes(file['size_bytes'])})")


def preparations(result: dict[str, Any]) -> None:
    """Print the runtime that each version is prepared for, and the variants that were tried."""
    for each in result["prepared"]:
        print_line(
            f"{'' if each['created'] else 'unchanged: '}{result['model']} version "
            f"{each['version']} is prepared for {each['runtime']}: {each['variant']}"
        )
        _print_variants(each)


def _choice(preparation: dict[str, Any]) -> str:
    replacement = preparation["replacement"]
    return f"{preparation['chosen']}, then {replacement}" if replacement else preparation["chosen"]


def _print_variants(preparation: dict[str, Any]) -> None:
    print_line(f"    {preparation['why']}")
    for variant in preparation["variants"]:
        print_line(f"    {variant['name']}{_blocks(variant)}: {_measurement(variant)}")


def _blocks(variant: dict[str, Any]) -> str:
    return f" (blocks of {variant['block_width']})" if variant["block_width"] else ""


def _measurement(variant: dict[str, Any]) -> str:
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
    """Return the labels that name a version, each with its share of the calls if it has one."""
    return [
        label + _share_of(label, model["split"])
        for label, named in model["labels"].items()
        if named == version
    ]


def _share_of(label: str, split: dict[str, int]) -> str:
    """Return a label's share of the calls to append to the label: ` (5%)`, or nothing."""
    return f" ({split[label]}%)" if label in split else ""
