"""The outcome of a fork is reported like the outcome of a new interpreter."""

from __future__ import annotations

import contextlib
import json
import tempfile
from pathlib import Path
from typing import Any

import pytest

from model_store.layout import StoreLayout
from model_store.package_set import Target
from model_sync.child_process import last_line, run_module
from model_sync.errors import PackagesError, TrialError
from model_sync.package_sets.download import download_wheels
from model_sync.time_limit import NO_LIMIT
from tests.forked_children import forked_children
from tests.support.wheels import offer_wheels, write_requirements, write_wheel

pytestmark = pytest.mark.own_processes


def _told(tmp_path: Path, how: str, deadline_s: float) -> dict[str, Any]:
    """Return run_module's report of a process that ends so, and that process's inputs."""
    result = tmp_path / "result.json"
    result.unlink(missing_ok=True)
    told: dict[str, Any] = {}
    try:
        done = run_module(
            "tests.support.ending",
            [how, str(result)],
            layout=StoreLayout(tmp_path / "store"),
            what="what is run",
            deadline_s=deadline_s,
            time_limit=NO_LIMIT,
        )
        told = {"code": done.returncode, "last line": last_line(done)}
    except TrialError as error:
        told = {"error": str(error)}
    with contextlib.suppress(FileNotFoundError):  # the deadline came first
        told |= json.loads(result.read_text("utf-8"))
    return told


@pytest.mark.parametrize("how", ["exits", "raises", "is killed", "ends"])
def test_a_fork_ends_as_an_interpreter_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    monkeypatch.setenv("PREDICT_MEMORY_MB", "1024")
    monkeypatch.syspath_prepend(tmp_path / "store" / "packages" / "of this process")
    new = _told(tmp_path, how, 60)
    assert "input" in new
    with forked_children():
        assert _told(tmp_path, how, 60) == new


def test_a_fork_is_ended_at_its_deadline(tmp_path: Path) -> None:
    with forked_children():
        assert _told(tmp_path, "never ends", 1)["error"] == "what is run did not end within 1 s"


def _downloaded(tmp_path: Path, requirements: Path) -> dict[str, bytes] | str:
    """The wheels that pip downloads, or what it is refused with."""
    with tempfile.TemporaryDirectory(dir=tmp_path) as folder:
        try:
            wheels = download_wheels(requirements, Target.running(), Path(folder))
        except PackagesError as error:
            return str(error)
        return {wheel.name: wheel.read_bytes() for wheel in wheels}


def test_pip_does_the_same_in_a_fork(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wheels = tmp_path / "wheels"
    offer_wheels(monkeypatch, wheels)
    there = write_requirements(tmp_path / "there.txt", write_wheel(wheels, "alpha"))
    missing = write_requirements(tmp_path / "missing.txt", write_wheel(tmp_path, "beta"))
    new = [_downloaded(tmp_path, requirements) for requirements in (there, missing)]
    assert [type(each) for each in new] == [dict, str]
    with forked_children():
        assert [_downloaded(tmp_path, requirements) for requirements in (there, missing)] == new
