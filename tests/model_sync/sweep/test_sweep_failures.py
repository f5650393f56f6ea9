"""An error over one thing is reported, on one line, and ends nothing else."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.sweepable import ADDER

if TYPE_CHECKING:
    from tests.support.sweepable import Sweepable


@pytest.fixture
def two(sweepable: Sweepable) -> Sweepable:
    """Two models with a version each that may be deleted."""
    sweepable.retired()
    sweepable.retired("other")
    return sweepable


def _fail(monkeypatch: pytest.MonkeyPatch, call: str, name: str, code: int) -> None:
    """Let one system call fail for whatever has `name` in its path."""
    real = getattr(os, call)

    def failing(path: Any, *arguments: Any, **options: Any) -> Any:
        if name in os.fspath(path):
            raise OSError(code, os.strerror(code), path)
        return real(path, *arguments, **options)

    monkeypatch.setattr(os, call, failing)


@pytest.mark.parametrize("code", [errno.EACCES, errno.EBUSY, errno.EIO, errno.ESTALE, errno.EROFS])
def test_a_folder_that_cannot_be_renamed_stays_until_the_next_sweep(
    two: Sweepable, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    entry = two.refs().versions[1]
    with monkeypatch.context() as patched:
        _fail(patched, "rename", entry.id, code)
        found = two.sweep(2)
    assert found["failures"] == [
        {"what": f"models/adder/versions/{entry.id}", "error": os.strerror(code)}
    ]
    assert [each["model"] for each in found["deleted"]] == [ADDER, "other"], "both are marked"
    assert two.in_place() == {1, 2, 3, 4}
    assert two.in_place("other") == {2, 3, 4}
    again = two.sweep(2)
    assert (again["failures"], again["folders"]) == ([], [f"models/adder/versions/{entry.id}"])
    assert two.in_place() == {2, 3, 4}


@pytest.mark.parametrize("call", ["unlink", "rmdir"])
def test_what_cannot_be_deleted_waits_in_trash(
    two: Sweepable, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    entry = two.refs().versions[1]
    with monkeypatch.context() as patched:
        _fail(patched, call, "words.txt" if call == "unlink" else entry.id, errno.EBUSY)
        found = two.sweep(2)
    assert {each["error"] for each in found["failures"]} == {os.strerror(errno.EBUSY)}
    assert two.in_place() == {2, 3, 4}, "out of sight all the same"
    assert two.in_place("other") == {2, 3, 4}
    assert any((two.layout.root / "trash").iterdir())
    assert two.sweep(2)["failures"] == []
    assert not any((two.layout.root / "trash").iterdir())


def test_a_generation_that_cannot_be_written_leaves_its_model_as_it_is(
    two: Sweepable, monkeypatch: pytest.MonkeyPatch
) -> None:
    link, generation = os.link, two.refs().generation

    def linking(source: Any, target: Any, **options: Any) -> None:
        if target.parent == two.model().refs_folder:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        link(source, target, **options)

    with monkeypatch.context() as patched:
        patched.setattr(os, "link", linking)
        found = two.sweep(2)
    assert found["failures"] == [{"what": "models/adder", "error": os.strerror(errno.EIO)}]
    assert two.refs().generation == generation
    assert two.in_place() == {1, 2, 3, 4}
    assert two.in_place("other") == {2, 3, 4}


def test_a_damaged_model_is_reported_and_left_alone(two: Sweepable) -> None:
    two.model().generation(two.refs().generation).write_bytes(b"{")
    found = two.sweep(2)
    assert found["failures"][0]["what"] == "models/adder"
    assert all("\n" not in each["error"] for each in found["failures"])
    assert two.in_place("other") == {2, 3, 4}
    assert len(list(two.model().versions.iterdir())) == 4
