"""What looking after a store found and did, as a person reads it, on stdout."""

from __future__ import annotations

import sys
from typing import Any

from model_sync.progress import readable_bytes


def swept(found: dict[str, Any]) -> None:
    """Print what a sweep deleted, or would delete, and why it keeps each version that it keeps."""
    verb = "would delete" if found["dry_run"] else "deleted"
    for each in found["deleted"]:
        size = readable_bytes(each["size_bytes"])
        _line(f"{verb} {each['model']} version {each['version']} ({size})")
    for path in (*found["folders"], *found["packages"]):
        _line(f"{verb} {path}")
    for each in found["kept"]:
        _line(f"kept {each['model']} version {each['version']}: {each['reason']}")
    for each in found["failures"]:
        _line(f"failed at {each['what']}: {each['error']}")
    freed = readable_bytes(found["freed_bytes"])
    _line(f"{freed} would be freed" if found["dry_run"] else f"{freed} freed")


def verified(found: dict[str, Any]) -> None:
    """Print what was checked, and each problem."""
    for each in found["problems"]:
        _line(f"{each['what']}: {each['problem']}")
    checked = found["checked"]
    count = len(found["problems"])
    _line(
        f"{count or 'no'} problem{'' if count == 1 else 's'}: {checked['models']} models, "
        f"{checked['versions']} versions, {checked['preparations']} preparations and "
        f"{checked['package_sets']} package sets; {checked['files']} files, "
        f"{readable_bytes(checked['bytes'])} read"
    )


def _line(text: str) -> None:
    sys.stdout.write(text + "\n")
