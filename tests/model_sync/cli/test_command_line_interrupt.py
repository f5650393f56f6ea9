"""Ctrl-C at any time: exit code 130, nothing visible, nothing staged, nothing left running."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from tests.model_sync.command_line import COMMAND, environment
from tests.support.model_folders import PIPELINE, RECIPE, write_full
from tests.support.snapshots import snapshot
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

DEADLINE_S: Final = 60.0

SLOW: Final = """\
import os, pathlib, time

started = pathlib.Path({started!r})
started.with_suffix(".new").write_text(str(os.getpid()))
started.with_suffix(".new").rename(started)
time.sleep(3600)
"""


def _slow_build(folder: Path, started: Path) -> None:
    folder.mkdir()
    (folder / "build.py").write_text(SLOW.format(started=str(started)))
    build = "[build]\nscript = 'build.py'\noutputs = ['model.onnx']\n"
    (folder / "model.toml").write_text(RECIPE + build)


def _slow_trial(folder: Path, started: Path) -> None:
    write_full(folder, pipeline=SLOW.format(started=str(started)) + PIPELINE)


def _is_gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    # One that has ended and was not waited for yet is as good as gone.
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"


@contextlib.contextmanager
def _publishing(folder: Path, store: Path, *options: str) -> Iterator[subprocess.Popen[str]]:
    publisher = subprocess.Popen(
        [*COMMAND, "publish", folder, "--store", store, "--quiet", *options],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield publisher
    finally:
        publisher.kill()
        publisher.communicate()


@pytest.mark.parametrize(
    ("number", "said"), [(signal.SIGINT, "interrupted"), (signal.SIGTERM, "terminated")]
)
@pytest.mark.parametrize(("make", "options"), [(_slow_build, []), (_slow_trial, ["--json"])])
def test_an_interrupted_publication_leaves_nothing(
    tmp_path: Path,
    make: Callable[[Path, Path], None],
    options: list[str],
    number: signal.Signals,
    said: str,
) -> None:
    started, store = tmp_path / "started", tmp_path / "store"
    make(tmp_path / "adder", started)
    with _publishing(tmp_path / "adder", store, *options) as publisher:
        wait_until(started.exists, "it never started")
        if make is _slow_trial:
            assert list((store / "staging").iterdir())
        publisher.send_signal(number)
        out, err = publisher.communicate(timeout=DEADLINE_S)
    assert publisher.returncode == 130
    if options:
        assert out == f'{{"error": {{"code": "interrupted", "message": "{said}"}}}}\n'
        assert err == ""
    else:
        assert (out, err) == ("", f"error: {said}\n")
    pid = int(started.read_text())
    wait_until(lambda: _is_gone(pid), "what it had started goes on")
    assert not (store / "models").exists()
    assert [path for path in snapshot(store) if path.startswith("staging/")] == []
