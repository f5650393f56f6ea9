"""A sweep that ends anywhere leaves a store that reads, and the next sweep finishes the work."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final

import pytest

from model_store.reading import read_package_set, read_version
from model_store.refs import State
from model_sync.package_sets.unused_marks import is_in_place
from tests.support.sweepable import ADDER

if TYPE_CHECKING:
    from collections.abc import Callable

    from model_store.digests import Digest
    from tests.support.sweepable import Sweepable

CALLS: Final = ("link", "rename", "unlink", "rmdir", "mkdir")


class Killed(BaseException):
    """The process ends here: nothing of ours catches this."""


class _Counting:
    """Ends the process in the place of the n-th call that changes names; 0: never."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, at: int) -> None:
        self.count, self._at = 0, at
        for call in CALLS:
            monkeypatch.setattr(os, call, self._counted(getattr(os, call)))

    def _counted(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*arguments: Any, **options: Any) -> Any:
            self.count += 1
            if self._at and self.count >= self._at:
                raise Killed
            return real(*arguments, **options)

        return counted


def _prepare(store: Sweepable) -> tuple[Digest, Digest]:
    """A version to delete, a set to delete, a set that is pinned, and a model to remove."""
    unused, pinned = store.package_set("alpha"), store.package_set("beta")
    store.retired()
    store.publish("other", packages=pinned)
    store.publish("gone")
    store.run("delete-model", model="gone")
    store.sweep(0)
    return unused, pinned


def _check_readable(store: Sweepable, pinned: Digest) -> None:
    """Whatever refs name is there, whole."""
    for name in (ADDER, "other"):
        for entry in store.refs(name).versions.values():
            if entry.state is not State.DELETED:
                read_version(store.layout, name, entry)
    assert is_in_place(store.layout, pinned)


def _calls_of_a_sweep(store: Sweepable, monkeypatch: pytest.MonkeyPatch) -> int:
    with monkeypatch.context() as patched:
        counting = _Counting(patched, 0)
        store.sweep(1.5)
    return counting.count


def test_it_may_end_at_any_call(
    sweepable: Sweepable, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    monkeypatch.setattr(os, "fsync", lambda fd: None)  # nothing here loses its power
    unused, pinned = _prepare(sweepable)
    copies = tmp_path_factory.mktemp("copies")
    # Hard links among the names stay links in the copy, as `cp -a` makes it.
    backup = copies / "store"
    os.system(f"cp -a {sweepable.layout.root} {backup}")  # noqa: S605 - paths of our own
    calls = _calls_of_a_sweep(sweepable, monkeypatch)
    assert calls > 20
    for at in range(1, calls + 1):
        os.system(f"rm -rf {sweepable.layout.root} && cp -a {backup} {sweepable.layout.root}")  # noqa: S605
        with monkeypatch.context() as patched:
            _Counting(patched, at)
            with pytest.raises(Killed):
                sweepable.sweep(1.5)
        _check_readable(sweepable, pinned)
        for days in (1.5, 2.6, 3.7):
            found = sweepable.sweep(days)
            assert found["failures"] == [], at
        _check_readable(sweepable, pinned)
        assert sweepable.in_place() == {2, 3, 4}, at
        assert not sweepable.layout.package_set(unused).exists(), at
        assert read_package_set(sweepable.layout, pinned)
        assert not sweepable.model("gone").folder.exists(), at
        assert not any((sweepable.layout.root / "trash").iterdir()), at
        assert not any((sweepable.layout.root / "staging").iterdir()), at
