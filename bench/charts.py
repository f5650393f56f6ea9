"""Charts of benchmark results: `python -m bench.charts` writes docs/charts/*.svg.

Reads bench/results/*.json and measures nothing. The same results give the same bytes.
"""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from bench.import_charts import by_set
from bench.results import RESULTS
from bench.svg import GRID, INK, MUTED, WIDTH, Svg, about, seconds

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    Case = Mapping[str, Any]

CHARTS: Final = Path(__file__).resolve().parent.parent / "docs" / "charts"
_WAYS: Final = {
    "naive": ("#c2410c", "InferenceSession(path)"),
    "ours": ("#1d4ed8", "Coldpress"),
    "floor": ("#6b7280", "only reading it"),
}
_PHASES: Final = {
    "Python starts": "#9aa5b1",
    "imports": "#cbd2d9",
    "manifests": "#5b21b6",
    "graph": "#7c3aed",
    "bytes": "#c2410c",
    "session": "#1d4ed8",
    "pipeline": "#0f766e",
    "other of the load": "#b45309",
    "first answer": "#65a30d",
}
_MORE_COLOURS: Final = ("#be185d", "#0369a1", "#854d0e", "#4d7c0f")
_TICKS_MS: Final = (100, 200, 500, 1000, 2000, 5000, 10_000, 20_000, 50_000)


def main() -> None:
    """Draw a chart of each result that exists, and print the files."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--charts", type=Path, default=CHARTS)
    arguments = parser.parse_args()
    for path in draw(arguments.results, arguments.charts):
        print(path)


def draw(results: Path, charts: Path) -> list[Path]:
    """Write every chart that has results; return the files. Raise OSError if there are none."""
    drawn = {"cold_start": {"_by_size": by_size, "_phases": phases}, "imports": {"": by_set}}
    there = [name for name in drawn if (results / f"{name}.json").exists()]
    if not there:
        raise FileNotFoundError(f"{results} has no results that there are charts for")
    charts.mkdir(parents=True, exist_ok=True)
    written = []
    for name in there:
        found = json.loads((results / f"{name}.json").read_text("utf-8"))
        for read_ahead in sorted({case["read_ahead_kib"] for case in found["cases"]}):
            cases = [case for case in found["cases"] if case["read_ahead_kib"] == read_ahead]
            cases.sort(key=lambda case: float(case["size_bytes"]))
            for what, chart in drawn[name].items():
                path = charts / f"{name}{what}_{read_ahead}.svg"
                path.write_text(str(chart(cases, read_ahead)), "utf-8")
                written.append(path)
    return written


def by_size(cases: Sequence[Case], read_ahead_kib: int) -> Svg:
    """Draw cold start against model size, both logarithmic, with a line for each way."""
    height, left, right, top, bottom = 440, 64, 190, 70, 380
    svg = Svg(WIDTH, height, "Cold start by size of the model")
    svg.text(
        16,
        28,
        "From process start to first answer, by the size of the .onnx file",
        size=17,
        bold=True,
    )
    spread = "; medians, bars from quartile to quartile"
    svg.text(16, 48, about(read_ahead_kib) + spread, colour=MUTED)
    sizes = [case["size_bytes"] / 1e6 for case in cases]
    times = [case["summary_ms"][way]["median"] for case in cases for way in _WAYS]
    ticks = _around(min(times), max(times))
    across = _Scale(min(sizes), max(sizes), left + 34, WIDTH - right - 14)
    up = _Scale(ticks[0], ticks[-1], bottom, top)
    for tick in ticks:
        svg.line([(left, up(tick)), (WIDTH - right, up(tick))], GRID)
        svg.text(left - 8, up(tick) + 4, seconds(tick), colour=MUTED, anchor="end")
    for row, case in _rows([(across(size), case) for size, case in zip(sizes, cases, strict=True)]):
        x = across(case["size_bytes"] / 1e6)
        svg.line([(x, bottom), (x, bottom + 5)], MUTED)
        svg.text(x, bottom + 20 + 17 * row, _label(case), size=12, anchor="middle")
    ends = {way: up(cases[-1]["summary_ms"][way]["median"]) for way in _WAYS}
    labels = _apart(ends, 36, most=bottom - 16)
    for way, (colour, label) in _WAYS.items():
        found = [case["summary_ms"][way] for case in cases]
        points = [
            (across(size), up(each["median"])) for size, each in zip(sizes, found, strict=True)
        ]
        svg.line(points, colour, 2.5)
        for (x, y), each in zip(points, found, strict=True):
            svg.line([(x, up(each["p25"])), (x, up(each["p75"]))], colour, 6)
            svg.dot(x, y, colour)
        x, y = WIDTH - right + 8, labels[way]
        svg.text(x, y, label, colour=colour, bold=True)
        svg.text(x, y + 16, f"{seconds(found[-1]['median'])}, {cases[-1]['title']}", colour=colour)
    return svg


def phases(cases: Sequence[Case], read_ahead_kib: int) -> Svg:
    """Draw the phases of `ours`: a bar of the same length for each model, divided by phase."""
    left, right, top, bar = 118, 90, 112, 34
    height = top + len(cases) * (bar + 26) + 12
    svg = Svg(WIDTH, height, "Where the time of a cold start goes")
    svg.text(16, 28, "Where a cold start's time goes, in Coldpress", size=17, bold=True)
    svg.text(16, 48, f"{about(read_ahead_kib)}; medians", colour=MUTED)
    names = list(dict.fromkeys(name for case in cases for name in case["phases_ms"]["ours"]))
    more = iter(_MORE_COLOURS * len(names))
    colours = {name: _PHASES.get(name) or next(more) for name in names}
    shown = [name for name in names if any(_share(case, name) >= 0.005 for case in cases)]
    x, y = 16.0, 72.0
    for name in shown:
        width = 24 + 7.2 * len(name)
        if x + width > WIDTH - 8:
            x, y = 16.0, y + 20
        svg.box(x, y - 10, 12, 12, colours[name])
        svg.text(x + 17, y, name, size=12)
        x += width + 8
    room = WIDTH - left - right
    for row, case in enumerate(cases):
        y, x = top + row * (bar + 26), float(left)
        svg.text(16, y + 15, case["title"], bold=True)
        svg.text(16, y + 31, f"{case['size_bytes'] / 1e6:,.0f} MB", size=12, colour=MUTED)
        for name, took_ms in case["phases_ms"]["ours"].items():
            width = room * _share(case, name)
            svg.box(x, y, width, bar, colours[name], f"{name}: {took_ms:.0f} ms")
            label = seconds(took_ms)
            if width > 7.5 * len(label) + 6:
                ink = INK if name in {"imports", "Python starts"} else "#ffffff"
                svg.text(x + width / 2, y + 22, label, size=12, colour=ink, anchor="middle")
            x += width
        svg.text(x + 8, y + 22, seconds(case["summary_ms"]["ours"]["median"]), bold=True)
    return svg


class _Scale:
    """Logarithmic scale from values to pixels."""

    def __init__(self, low: float, high: float, first: float, last: float) -> None:
        self._low, self._first = math.log(low), first
        self._ratio = (last - first) / (math.log(high) - self._low or 1.0)

    def __call__(self, value: float) -> float:
        return self._first + (math.log(value) - self._low) * self._ratio


def _around(low: float, high: float) -> list[int]:
    """Return the ticks around a range: the first at most `low`, the last at least `high`."""
    first = max((tick for tick in _TICKS_MS if tick <= low), default=_TICKS_MS[0])
    last = min((tick for tick in _TICKS_MS if tick >= high), default=_TICKS_MS[-1])
    return [tick for tick in _TICKS_MS if first <= tick <= last]


def _rows(placed: Sequence[tuple[float, Case]]) -> list[tuple[int, Case]]:
    """Return a row for each label; a label that would touch the previous one goes a row lower."""
    rows: list[tuple[int, Case]] = []
    ends = [-math.inf, -math.inf, -math.inf]
    for x, case in placed:
        half = 3.4 * len(_label(case))
        row = next((each for each, end in enumerate(ends) if end <= x - half), 0)
        ends[row] = x + half
        rows.append((row, case))
    return rows


def _label(case: Case) -> str:
    return f"{case['title']}, {case['size_bytes'] / 1e6:,.0f} MB"


def _apart(wanted: Mapping[str, float], distance: float, most: float) -> dict[str, float]:
    """Return places in the wanted order, at least `distance` apart, the last at most `most`."""
    placed: dict[str, float] = {}
    last = -math.inf
    order = sorted(wanted.items(), key=lambda each: each[1])
    for below, (name, place) in zip(range(len(order) - 1, -1, -1), order, strict=True):
        placed[name] = last = max(min(place, most - below * distance), last + distance)
    return placed


def _share(case: Case, name: str) -> float:
    took = case["phases_ms"]["ours"]
    return float(took.get(name, 0.0) / sum(took.values()))


if __name__ == "__main__":
    main()
