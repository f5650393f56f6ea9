"""What looking after a store found and did, as a person reads it, on stdout."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from model_sync.cli.output import print_line, shape_text
from model_sync.progress import readable_bytes
from model_sync.text import pluralize

if TYPE_CHECKING:
    from collections.abc import Callable


def swept(found: dict[str, Any]) -> None:
    """Print what a sweep deleted, or would delete, and why it keeps each version that it keeps."""
    verb = "would delete" if found["dry_run"] else "deleted"
    for each in found["deleted"]:
        size = readable_bytes(each["size_bytes"])
        print_line(f"{verb} {each['model']} version {each['version']} ({size})")
    for path in (*found["folders"], *found["packages"]):
        print_line(f"{verb} {path}")
    for each in found["kept"]:
        print_line(f"kept {each['model']} version {each['version']}: {each['reason']}")
    for each in found["failures"]:
        print_line(f"failed at {each['what']}: {each['error']}")
    freed = readable_bytes(found["freed_bytes"])
    print_line(f"{freed} would be freed" if found["dry_run"] else f"{freed} freed")


def verified(found: dict[str, Any]) -> None:
    """Print what was checked, and each problem."""
    for each in found["problems"]:
        print_line(f"{each['what']}: {each['problem']}")
    checked = found["checked"]
    count = len(found["problems"])
    print_line(
        f"{pluralize(count, 'problem') if count else 'no problems'}: "
        f"{pluralize(checked['models'], 'model')}, {_of_three_kinds(checked)}; "
        f"{pluralize(checked['files'], 'file')}, {readable_bytes(checked['bytes'])} read"
    )


def backed_up(found: dict[str, Any]) -> None:
    """Print what a backup holds, and what of it is new."""
    print_line(f"{_models_are(found)} backed up in {found['folder']}{_copied(found)}")


def restored(found: dict[str, Any]) -> None:
    """Print what was restored, under which store id."""
    print_line(
        f"{_models_are(found)} restored as of {found['made_at']}, as store "
        f"{found['store_id']}{_copied(found)}"
    )


def _models_are(found: dict[str, Any]) -> str:
    count = len(found["models"])
    return f"{pluralize(count, 'model')} {'is' if count == 1 else 'are'}"


def _copied(found: dict[str, Any]) -> str:
    copied = found["copied"]
    return f": {_of_three_kinds(copied)} copied, {readable_bytes(copied['bytes'])}"


def _of_three_kinds(counts: dict[str, int]) -> str:
    return (
        f"{pluralize(counts['versions'], 'version')}, "
        f"{pluralize(counts['preparations'], 'preparation')} and "
        f"{pluralize(counts['package_sets'], 'package set')}"
    )


def compared(found: dict[str, Any]) -> None:
    """Print what differs from one version to the other: + added, - removed, ~ changed."""
    sizes = (readable_bytes(found["size_bytes"][side]) for side in ("one", "other"))
    print_line(f"{found['model']}: from version {found['one']} to version {found['other']}")
    print_line(f"size: {' -> '.join(sizes)}")
    for side in ("inputs", "outputs"):
        _changes(side, found["signature"][side], _tensor)
    _changes("files", found["files"], lambda file: f"{file['path']} ({file['size_bytes']} bytes)")
    _changes("packages", found["packages"], lambda wheel: f"{wheel['name']} {wheel['version']}")
    golden = found["golden"]
    for sign, what in (("+", "added"), ("-", "removed"), ("~", "request_changed")):
        for case in golden[what]:
            print_line(f"  {sign} golden case {case}")
    for each in golden["expected_changed"]:
        print_line(f"  ~ golden case {each['case']}: {each['difference']}")
    for runtime, both in found["measurements"].items():
        print_line(f"  {runtime}: {_measured(both['one'])} -> {_measured(both['other'])}")


def _changes(what: str, found: dict[str, Any], show: Callable[[dict[str, Any]], str]) -> None:
    lines = [f"+ {show(each)}" for each in found["added"]]
    lines += [f"- {show(each)}" for each in found["removed"]]
    for each in found["changed"]:
        one, other = show(each["one"]), show(each["other"])
        lines.append(f"~ {one}" if one == other else f"~ {one} -> {other}")
    print_line(f"{what}: {'the same' if not lines else len(lines)}")
    for line in lines:
        print_line(f"  {line}")


def _tensor(spec: dict[str, Any]) -> str:
    return f"{spec['name']} {spec['datatype']} {shape_text(spec['shape'])}"


def _measured(measurement: dict[str, Any] | None) -> str:
    if measurement is None:
        return "not prepared"
    peak = readable_bytes(measurement["peak_bytes"])
    return f"{measurement['variant']}, load {measurement['load_ms']:.1f} ms, {peak} at the peak"
