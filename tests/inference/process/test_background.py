from __future__ import annotations

import gc
import subprocess
import sys
import threading
import weakref
from typing import TYPE_CHECKING

import pytest

from inference.process.background import Background
from model_sync.progress import Silent
from model_sync.publishing.publish import publish
from tests.support.commands import run
from tests.support.models import write_adder
from tests.support.places import ROOT
from tests.support.threads import at_once
from tests.support.waiting import DEADLINE_S, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Released:
    """Work that goes on until it is released."""

    def __init__(self) -> None:
        self.released = threading.Event()

    def __call__(self) -> int:
        assert self.released.wait(DEADLINE_S)
        return 7


@pytest.fixture
def background() -> Background:
    return Background()


@pytest.fixture
def work() -> Iterator[Released]:
    held = Released()
    yield held
    held.released.set()


def test_nothing_is_under_way_at_first(background: Background) -> None:
    assert not background.busy()
    assert background.wait(0)


def test_work_is_under_way_until_it_ends(background: Background, work: Released) -> None:
    future = background.start(work, "work")
    assert background.busy()
    assert not background.wait(0)
    work.released.set()
    assert background.wait(DEADLINE_S)
    assert future.done()
    assert future.result() == 7
    assert not background.busy()


def test_work_that_raises_has_ended_too(background: Background) -> None:
    def fail() -> None:
        raise ValueError("no such model")

    future = background.start(fail, "work")
    assert background.wait(DEADLINE_S)
    assert not background.busy()
    with pytest.raises(ValueError, match="no such model"):
        future.result()


def test_one_that_ends_does_not_end_the_wait_for_another(
    background: Background, work: Released
) -> None:
    background.start(work, "long")
    background.start(lambda: None, "short").result(DEADLINE_S)
    assert not background.wait(0)
    assert background.busy()


def test_what_is_started_meanwhile_is_not_waited_for(
    background: Background, work: Released
) -> None:
    first, waited = Released(), threading.Event()
    background.start(first, "first")
    started = threading.Event()

    def wait_for_the_first() -> None:
        started.set()
        if background.wait(DEADLINE_S):
            waited.set()

    waiting = threading.Thread(target=wait_for_the_first, daemon=True)
    waiting.start()
    assert started.wait(DEADLINE_S)
    wait_until(lambda: bool(background._changed._waiters))  # type: ignore[attr-defined]
    background.start(work, "second")
    first.released.set()
    assert waited.wait(DEADLINE_S)
    assert background.busy()


def test_between_work_and_the_work_that_it_starts_there_is_no_moment_without_any(
    background: Background, work: Released
) -> None:
    second = background.start(lambda: background.start(work, "second"), "first").result(DEADLINE_S)
    assert background.busy()
    work.released.set()
    assert second.result(DEADLINE_S) == 7
    assert background.wait(DEADLINE_S)


def test_a_deadline_in_the_past_does_not_wait(background: Background, work: Released) -> None:
    background.start(work, "work")
    assert not background.wait(-1)


def test_its_threads_keep_no_process_from_ending(background: Background, work: Released) -> None:
    background.start(work, "coldpress-that-stays")
    threads = [thread for thread in threading.enumerate() if thread.name == "coldpress-that-stays"]
    assert [thread.daemon for thread in threads] == [True]


def test_results_are_let_go(background: Background) -> None:
    class Session:
        pass

    seen = [weakref.ref(background.start(Session, "work").result(DEADLINE_S))]
    assert background.wait(DEADLINE_S)
    gc.collect()
    wait_until(lambda: seen[0]() is None)


def test_many_threads_may_start_and_wait_at_once(background: Background) -> None:
    def start_and_wait(number: int) -> int:
        future = background.start(lambda: number, "work")
        assert background.wait(DEADLINE_S)
        assert future.done()
        return future.result()

    found = at_once(32, start_and_wait)
    assert sorted(found) == list(range(32))
    assert not background.busy()


BUSY = """
import sys, threading, time
from inference.process.background import Background, leave
background = Background()
background.start(lambda: time.sleep({work_s}), "work")
if {leaves}:
    import inference.process.background as module
    module.wait_for_all.__defaults__ = (0.2,)
    print("done")
    leave(7)
"""


def ended(**how: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", BUSY.format(**how)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )


def test_a_process_that_leaves_does_not_wait_for_ever_and_keeps_its_code_and_what_it_said() -> None:
    done = ended(work_s=3600, leaves=True)
    assert (done.returncode, done.stdout) == (7, "done\n")


def test_a_process_that_leaves_with_nothing_under_way_just_ends() -> None:
    done = ended(work_s=0, leaves=True)
    assert (done.returncode, done.stdout) == (7, "done\n")


def test_a_prediction_ends_well_though_golden_cases_run_after_it(tmp_path: Path) -> None:
    model = tmp_path / "adder"
    write_adder(model, 1.0)
    (model / "pipeline.py").write_text(
        "import numpy\n"
        "X = numpy.ones((2_000_000, 2), numpy.float32)\n"
        "def decode(request): return {'x': X}\n"
        "def encode(outputs, request): return 1\n"
    )
    for number in range(40):
        case = model / "golden" / str(number)
        case.mkdir(parents=True)
        (case / "request.txt").write_text("any")
        (case / "expected.json").write_text("1")
    (model / "model.toml").write_text(
        '[pipeline]\nfile = "pipeline.py"\n[golden]\nfolder = "golden"\n'
    )
    publish(model, tmp_path / "store", progress=Silent())
    done = run("predict", "--store", tmp_path / "store", "adder", model / "model.toml")
    assert (done.code, done.out) == (0, "1\n")


def test_what_can_wait_starts_when_no_call_is_under_way(background: Background) -> None:
    ran: list[str] = []
    background.begin_call()
    background.begin_call()
    background.start_after_calls(lambda: ran.append("after"), "work")
    background.end_call()
    assert (ran, background.busy()) == ([], False)
    background.end_call()
    wait_until(lambda: ran == ["after"])
    background.start_after_calls(lambda: ran.append("at once"), "work")
    wait_until(lambda: ran == ["after", "at once"])


def test_what_waited_starts_once(background: Background) -> None:
    ran: list[int] = []
    background.begin_call()
    background.start_after_calls(lambda: ran.append(1), "work")
    background.end_call()
    assert background.wait(DEADLINE_S)
    background.begin_call()
    background.end_call()
    assert background.wait(DEADLINE_S)
    assert ran == [1]
