"""Charts of import times (bench/imports.py): a group of bars for each set, a bar for each way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from bench.svg import GRID, MUTED, WIDTH, Svg, about, seconds

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_WAYS: Final = {
    "plain": ("#c2410c", "plain"),
    "zip": ("#b45309", "from an archive"),
    "index": ("#7c3aed", "by the index"),
    "ours": ("#1d4ed8", "Coldpress"),
    "local": ("#6b7280", "plain, local disk"),
}
_BAR: Final = 20


def by_set(cases: Sequence[Mapping[str, Any]], read_ahead_kib: int) -> Svg:
    """Draw the time of importing from each set, in each measured way."""
    left, right, top = 132, 84, 66
    shown = [
        {way: case["summary_ms"][way] for way in _WAYS if way in case["summary_ms"]}
        for case in cases
    ]
    height = top + sum(len(each) * (_BAR + 4) + 74 for each in shown)
    svg = Svg(WIDTH, height, "Importing packages from a network file system")
    svg.text(16, 28, "Importing packages, in a fresh process", size=17, bold=True)
    svg.text(
        16, 48, f"{about(read_ahead_kib)}; medians, lines from quartile to quartile", colour=MUTED
    )
    most = max(found["p75"] for each in shown for found in each.values())
    scale = (WIDTH - left - right) / most
    y = float(top)
    for case, each in zip(cases, shown, strict=True):
        size = f"{case['size_bytes'] / 1e6:,.0f} MB in {case['files']:,} files"
        svg.text(16, y + 18, ", ".join(case["modules"]), bold=True)
        svg.text(16, y + 35, f"of a set of {size}", size=12, colour=MUTED)
        y += 46
        svg.line([(left, y), (left, y + len(each) * (_BAR + 4))], GRID)
        for way, found in each.items():
            colour, label = _WAYS[way]
            width = found["median"] * scale
            svg.text(left - 8, y + 15, label, size=12, colour=colour, anchor="end")
            svg.box(left, y + 2, width, _BAR - 2, colour, f"{label}: {found['median']:.0f} ms")
            ends = [left + found[quartile] * scale for quartile in ("p25", "p75")]
            svg.line([(ends[0], y + 11), (ends[1], y + 11)], "#1f2933", 2)
            svg.text(max(left + width, ends[1]) + 8, y + 15, seconds(found["median"]), bold=True)
            y += _BAR + 4
        y += 28
    return svg
