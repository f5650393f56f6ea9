"""Results of sweep, verify, diff, backup and restore, printed on stdout for a person."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from model_sync.cli.output import print_line, shape_text
from model_sync.progress import readable_bytes
from model_sync.text import pluralize

if TYPE_CHECKING:
    from collections.abc import Callable


def sweep(result: dict[str, Any]) -> None:
    """Print what a sweep deleted, or would delete, and why it kept each other version."""
    verb = "would delete" if result["dry_run"] else "deleted"
    for each in result["deleted"]:
        size = readable_bytes(each["size_bytes"])
        print_line(f"{verb} {each['model']} version {each['version']} ({size})")
    for path in (*result["folders"], *result["packages"]):
        print_line(f"{verb} {path}")
    for each in result["kept"]:
        print_line(f"kept {each['model']} version {each['version']}: {each['reason']}")
    for each in result["failures"]:
        print_line(f"failed at {each['what']}: {each['error']}")
    freed = readable_bytes(result["freed_bytes"])
    print_line(f"{freed} would be freed" if result["dry_run"] else f"{freed} freed")


def verification(result: dict[str, Any]) -> None:
    """Print each problem, and counts of the objects that were checked."""
    for each in result["problems"]:
        print_line(f"{each['what']}: {each['problem']}")
    checked = result["checked"]
    count = len(result["problems"])
    print_line(
        f"{pluralize(count, 'problem') if count else 'no problems'}: "
        f"{pluralize(checked['models'], 'model')}, {_count_folders(checked)}; "
        f"{pluralize(checked['files'], 'file')}, {readable_bytes(checked['bytes'])} read"
    )


def backup(result: dict[str, Any]) -> None:
    """Print the number of models in a backup, and the objects copied to it."""
    print_line(f"{_count_models(result)} backed up in {result['folder']}{_copy_counts(result)}")


def restore(result: dict[str, Any]) -> None:
    """Print the number of models restored, and the new store's id."""
    print_line(
        f"{_count_models(result)} restored as of {result['made_at']}, as store "
        f"{result['store_id']}{_copy_counts(result)}"
    )


def _count_models(result: dict[str, Any]) -> str:
    count = len(result["models"])
    return f"{pluralize(count, 'model')} {'is' if count == 1 else 'are'}"


def _copy_counts(result: dict[str, Any]) -> str:
    copied = result["copied"]
    return f": {_count_folders(copied)} copied, {readable_bytes(copied['bytes'])}"


def _count_folders(counts: dict[str, int]) -> str:
    return (
        f"{pluralize(counts['versions'], 'version')}, "
        f"{pluralize(counts['preparations'], 'preparation')} and "
        f"{pluralize(counts['package_sets'], 'package set')}"
    )


def difference(result: dict[str, Any]) -> None:
    """Print the differences from one version to another: + added, - removed, ~ changed."""
    sizes = (readable_bytes(result["size_bytes"][side]) for side in ("one", "other"))
    print_line(f"{result['model']}: from version {result['one']} to version {result['other']}")
    print_line(f"size: {' -> '.join(sizes)}")
    for side in ("inputs", "outputs"):
        _print_changes(side, result["signature"][side], _tensor)
    _print_changes(
        "files", result["files"], lambda file: f"{file['path']} ({file['size_bytes']} bytes)"
    )
    _print_changes(
        "packages", result["packages"], lambda wheel: f"{wheel['name']} {wheel['version']}"
    )
    golden = result["golden"]
    for sign, what in (("+", "added"), ("-", "removed"), ("~", "request_changed")):
        for case in golden[what]:
            print_line(f"  {sign} golden case {case}")
    for each in golden["expected_changed"]:
        print_line(f"  ~ golden case {each['case']}: {each['difference']}")
    for runtime, both in result["measurements"].items():
        print_line(f"  {runtime}: {_measurement(both['one'])} -> {_measurement(both['other'])}")


def _print_changes(
    what: str, result: dict[str, Any], show: Callable[[dict[str, Any]], str]
) -> None:
    lines = [f"+ {show(each)}" for each in result["added"]]
    lines += [f"- {show(each)}" for each in result["removed"]]
    for each in result["changed"]:
        one, other = show(each["one"]), show(each["other"])
        lines.append(f"~ {one}" if one == other else f"~ {one} -> {other}")
    print_line(f"{what}: {'the same' if not lines else len(lines)}")
    for line in lines:
        print_line(f"  {line}")


def _tensor(spec: dict[str, Any]) -> str:
    return f"{spec['name']} {spec['datatype']} {shape_text(spec['shape'])}"


def _measurement(measurement: dict[str, Any] | None) -> str:
    if measurement is None:
        return "not prepared"
    peak = readable_bytes(measurement["peak_bytes"])
    return f"{measurement['variant']}, load {measurement['load_ms']:.1f} ms, {peak} at the peak"
