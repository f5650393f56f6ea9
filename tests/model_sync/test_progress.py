from __future__ import annotations

import io
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from model_sync.progress import Bar, Lines, Silent, lines_on_stderr, readable_bytes

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """A clock that a test advances."""
    time = SimpleNamespace(now=100.0)
    time.monotonic = lambda: time.now
    monkeypatch.setattr("model_sync.progress.time", time)

    def go_on(seconds: float) -> None:
        time.now += seconds

    return go_on


def test_each_step_is_a_line_with_its_size() -> None:
    out = io.StringIO()
    lines = Lines(out)
    lines.step("inspecting")
    lines.step("copying", 3_200_000)
    lines.advance(1000)
    assert out.getvalue() == "inspecting\ncopying (3.2 MB)\n"


def test_a_long_step_says_every_ten_seconds_how_far_it_is(clock: Callable[[float], None]) -> None:
    out = io.StringIO()
    lines = Lines(out)
    lines.step("copying", 4000)
    for _ in range(4):
        clock(9.0)
        lines.advance(1000)
    told = ["copying (4.0 kB)", "copying: 2.0 kB of 4.0 kB", "copying: 4.0 kB of 4.0 kB"]
    assert out.getvalue().splitlines() == told


def test_each_step_counts_anew(clock: Callable[[float], None]) -> None:
    out = io.StringIO()
    lines = Lines(out)
    lines.step("one", 10)
    lines.advance(10)
    lines.step("two", 20)
    clock(10.0)
    lines.advance(5)
    assert out.getvalue().splitlines()[-1] == "two: 5 B of 20 B"


def test_lines_go_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    lines_on_stderr().step("copying")
    assert capsys.readouterr() == ("", "copying\n")


def test_a_silent_one_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    Silent().step("copying", 10)
    Silent().advance(10)
    assert capsys.readouterr() == ("", "")


def test_a_bar_takes_steps_with_and_without_a_size(capsys: pytest.CaptureFixture[str]) -> None:
    with Bar() as bar:
        bar.step("inspecting")
        bar.step("copying", 10)
        bar.advance(10)
    assert capsys.readouterr().out == ""


@pytest.fixture
def shown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., str]:
    """Return the text of a bar on a terminal after the last of these steps."""
    monkeypatch.setenv("FORCE_COLOR", "1")  # rich takes stderr for a terminal
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "200")

    def show(*steps: tuple[str, int]) -> str:
        with Bar() as bar:
            for what, size in steps:
                bar.step(what, size)
                bar.advance(size)
        text = capsys.readouterr().err
        return text[text.rindex(steps[-1][0]) :] if steps else text

    return show


def test_a_bar_shows_names_as_they_are(shown: Callable[..., str]) -> None:
    assert "10 B of 10 B" in shown(("copying a[/b].onnx", 10))


def test_a_step_without_a_size_has_none_of_the_step_before(
    shown: Callable[..., str],
) -> None:
    assert "3.2 MB of 3.2 MB" in shown(("copying", 3_200_000))
    assert "MB" not in shown(("copying", 3_200_000), ("inspecting", 0))


def test_a_bar_shows_nothing_before_the_first_step(shown: Callable[..., str]) -> None:
    assert "0:00" not in shown()


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (3_249_999, "3.2 MB"),
        (1_000_000, "1.0 MB"),
        (5_000_000_000, "5.0 GB"),
        (7_000_000_000_000, "7000.0 GB"),
    ],
)
def test_sizes_are_written_as_a_person_reads_them(count: int, text: str) -> None:
    assert readable_bytes(count) == text
