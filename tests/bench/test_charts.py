"""Charts are drawn from results alone, and say what is in them."""

# ruff: noqa: S314 - what is parsed was drawn here

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import pytest

from bench.charts import draw

if TYPE_CHECKING:
    from pathlib import Path

WAYS = {"naive": 2000.0, "ours": 1500.0, "floor": 900.0}


def case(title: str, size_bytes: int, factor: float, read_ahead_kib: int = 128) -> dict[str, Any]:
    times = {way: ms * factor for way, ms in WAYS.items()}
    return {
        "title": title,
        "size_bytes": size_bytes,
        "read_ahead_kib": read_ahead_kib,
        "summary_ms": {
            way: {"p25": ms * 0.9, "median": ms, "p75": ms * 1.2} for way, ms in times.items()
        },
        "phases_ms": {"ours": {"imports": 300.0, "bytes": 800.0, "a new phase": 400.0}},
    }


@pytest.fixture
def results(tmp_path: Path) -> Path:
    cases = [case("Large", 1_300_000_000, 8.0), case("Small", 3_000_000, 0.2)]
    cases.append(case("Small", 3_000_000, 0.1, read_ahead_kib=15_000))
    (tmp_path / "cold_start.json").write_text(json.dumps({"cases": cases}))
    return tmp_path


def words(path: Path) -> list[str]:
    return [each.text or "" for each in ET.fromstring(path.read_text()).iter() if each.text]


def test_each_read_ahead_has_its_charts(results: Path, tmp_path: Path) -> None:
    written = draw(results, tmp_path / "charts")
    assert [path.name for path in written] == [
        "cold_start_by_size_128.svg",
        "cold_start_phases_128.svg",
        "cold_start_by_size_15000.svg",
        "cold_start_phases_15000.svg",
    ]


def test_a_chart_names_its_models_ways_and_units(results: Path, tmp_path: Path) -> None:
    found = words(draw(results, tmp_path)[0])
    assert {"Small, 3 MB", "Large, 1,300 MB", "Coldpress", "12 s, Large"} <= set(found)
    assert any("read-ahead 128 KiB" in each for each in found)


def test_a_phase_that_nobody_knew_is_drawn_too(results: Path, tmp_path: Path) -> None:
    found = words(draw(results, tmp_path)[1])
    assert {"a new phase", "a new phase: 400 ms", "bytes: 800 ms"} <= set(found)


def test_nothing_is_drawn_outside_of_the_picture(results: Path, tmp_path: Path) -> None:
    for path in draw(results, tmp_path):
        root = ET.fromstring(path.read_text())
        width, height = float(root.attrib["width"]), float(root.attrib["height"])
        for each in root.iter():
            for key, most in (("x", width), ("cx", width), ("y", height), ("cy", height)):
                assert 0 <= float(each.attrib.get(key, 0)) <= most


def test_the_same_results_give_the_same_bytes(results: Path, tmp_path: Path) -> None:
    first, second = (
        [path.read_bytes() for path in draw(results, tmp_path / name)] for name in ("a", "b")
    )
    assert first == second
