"""Children of tests can be interrupted, however the tests were started."""

from __future__ import annotations

import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.interrupts import interruptible

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def ignored() -> Iterator[None]:
    """This process ignores SIGINT, as one that was started with `nohup make test &`."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    yield
    signal.signal(signal.SIGINT, before)


def _child_is_interrupted() -> bool:
    code = "import os, signal; os.kill(os.getpid(), signal.SIGINT)"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code], check=False, capture_output=True, timeout=60
    )
    return done.returncode == -signal.SIGINT


@pytest.mark.usefixtures("ignored")
def test_a_child_can_be_interrupted_where_this_process_ignores_interrupts() -> None:
    assert not _child_is_interrupted()
    with interruptible():
        assert _child_is_interrupted()
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN


def test_every_test_can_interrupt_what_it_starts() -> None:
    assert signal.getsignal(signal.SIGINT) is not signal.SIG_IGN
    assert _child_is_interrupted()
