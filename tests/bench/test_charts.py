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


IMPORTS: dict[str, Any] = {
    "modules": ["sklearn.ensemble", "pandas"],
    "size_bytes": 388_000_000,
    "files": 5413,
    "read_ahead_kib": 128,
    "summary_ms": {
        way: {"p25": ms * 0.9, "median": ms, "p75": ms * 1.2}
        for way, ms in {"plain": 12_000.0, "index": 5000.0, "ours": 2000.0, "local": 1000.0}.items()
    },
}


@pytest.fixture
def results(tmp_path: Path) -> Path:
    cases = [case("Large", 1_300_000_000, 8.0), case("Small", 3_000_000, 0.2)]
    cases.append(case("Small", 3_000_000, 0.1, read_ahead_kib=15_000))
    (tmp_path / "cold_start.json").write_text(json.dumps({"cases": cases}))
    (tmp_path / "imports.json").write_text(json.dumps({"cases": [IMPORTS]}))
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
        "imports_128.svg",
    ]


def test_a_chart_names_its_models_ways_and_units(results: Path, tmp_path: Path) -> None:
    found = words(draw(results, tmp_path)[0])
    assert {"Small, 3 MB", "Large, 1,300 MB", "Coldpress", "12 s, Large"} <= set(found)
    assert any("read-ahead 128 KiB" in each for each in found)


def test_a_phase_that_nobody_knew_is_drawn_too(results: Path, tmp_path: Path) -> None:
    found = words(draw(results, tmp_path)[1])
    assert {"a new phase", "a new phase: 400 ms", "bytes: 800 ms"} <= set(found)


def test_imports_are_drawn_in_the_ways_that_there_are(results: Path, tmp_path: Path) -> None:
    found = words(draw(results, tmp_path)[-1])
    assert {"sklearn.ensemble, pandas", "of a set of 388 MB in 5,413 files", "12 s"} <= set(found)
    assert {"plain", "by the index", "Coldpress", "plain, local disk"} <= set(found)
    assert "from an archive" not in found


def test_what_has_no_results_is_left_as_it_is(results: Path, tmp_path: Path) -> None:
    (results / "cold_start.json").unlink()
    assert [path.name for path in draw(results, tmp_path / "one")] == ["imports_128.svg"]
    (results / "imports.json").unlink()
    with pytest.raises(FileNotFoundError, match="has no results"):
        draw(results, tmp_path / "none")


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
