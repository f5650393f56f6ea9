"""Whatever fails, readers see what they saw before, and staging is left empty."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, Any, Self

import pytest

from model_store.layout import StoreLayout
from model_store.reading import read_upward
from model_sync.errors import SyncError
from model_sync.progress import Silent
from model_sync.publishing.publish import publish
from model_sync.store_io.create_store import open_store
from tests.model_sync.failing_folders import FAILING
from tests.support.model_folders import write_bare, write_full
from tests.support.snapshots import ids_in, snapshot

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Write = Callable[[Path], None]


@pytest.fixture(scope="module")
def adder_store(tmp_path_factory: pytest.TempPathFactory) -> StoreLayout:
    """A store with one version in it, which no test here may change."""
    root = tmp_path_factory.mktemp("failures")
    publish(write_bare(root / "adder", 7.0), root / "store", progress=Silent())
    return StoreLayout(root / "store")


@pytest.mark.parametrize(("write", "kind", "reason"), FAILING.values(), ids=FAILING)
def test_a_publication_that_fails_changes_nothing_that_readers_see(
    tmp_path: Path, adder_store: StoreLayout, write: Write, kind: type[Exception], reason: str
) -> None:
    write(tmp_path / "adder")
    before = snapshot(adder_store.models)
    with pytest.raises(kind, match=reason) as caught:
        publish(tmp_path / "adder", adder_store.root, progress=Silent())
    assert isinstance(caught.value, SyncError)
    assert len(str(caught.value).splitlines()) == 1
    assert snapshot(adder_store.models) == before
    assert list((adder_store.root / "staging").iterdir()) == []


def test_the_first_publication_that_fails_leaves_no_model(tmp_path: Path) -> None:
    write, kind, reason = FAILING["pipeline raises"]
    write(tmp_path / "adder")
    with pytest.raises(kind, match=reason):
        publish(tmp_path / "adder", tmp_path / "store", progress=Silent())
    assert not (tmp_path / "store" / "models").exists()


class _Stopping(Silent):
    """Ends a publication by its nth word of how far it is, as Ctrl-C would."""

    def __init__(self, at: int) -> None:
        self.left = at

    def step(self, what: str, total_bytes: int = 0) -> None:
        self._count()

    def advance(self, n_bytes: int) -> None:
        self._count()

    def _count(self) -> Self:
        self.left -= 1
        if self.left < 0:
            raise KeyboardInterrupt
        return self


def test_a_publication_that_is_interrupted_anywhere_leaves_nothing(
    tmp_path: Path, adder_store: StoreLayout
) -> None:
    folder = write_full(tmp_path / "adder")
    before, places = snapshot(adder_store.models), 0
    # The last word comes before the trial; behind it nothing more is said.
    while places < 9:
        with pytest.raises(KeyboardInterrupt):
            publish(folder, adder_store.root, progress=_Stopping(places))
        assert snapshot(adder_store.models) == before
        assert list((adder_store.root / "staging").iterdir()) == []
        places += 1


def _counting(
    monkeypatch: pytest.MonkeyPatch, name: str, fail_at: int, *, after: bool
) -> Callable[[], int]:
    """Make the nth call of an operation of the system fail, before or after it was done."""
    real, count = getattr(os, name), 0

    def operation(*arguments: Any, **options: Any) -> Any:
        nonlocal count
        count += 1
        if count != fail_at:
            return real(*arguments, **options)
        if after:
            real(*arguments, **options)
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, name, operation)
    return lambda: count


# Links: STORE.json, MODEL.json, a generation, refs.json. Renames: preparation, version, refs.json.
@pytest.mark.parametrize(
    ("operation", "number", "after"),
    [
        ("link", 3, False),
        ("link", 3, True),
        ("link", 4, False),
        ("rename", 2, False),
        ("rename", 2, True),
        ("rename", 3, False),
        ("rename", 3, True),
    ],
)
def test_where_the_file_system_fails_readers_see_old_or_new_and_the_next_publish_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, operation: str, number: int, *, after: bool
) -> None:
    folder = write_bare(tmp_path / "adder")
    with monkeypatch.context() as patched:
        count = _counting(patched, operation, number, after=after)
        try:
            publish(folder, tmp_path / "store", progress=Silent())
        except (OSError, SyncError) as error:
            assert "Input/output error" in str(error)  # noqa: PT017 - some failures are healed
        assert count() >= number
    layout = StoreLayout(tmp_path / "store")
    model = layout.model("adder")
    if layout.store_json.exists():
        refs = read_upward(model)
        assert refs is None or set(refs.versions) == {1}
    published = publish(folder, tmp_path / "store", progress=Silent())
    assert (published.version, published.generation) == (1, 1)
    refs = read_upward(model)
    assert refs
    assert model.refs_json.samefile(model.generation(1))
    assert refs.versions[1].id in ids_in(model)[0]


def test_a_publication_that_fails_heals_what_a_crash_left_all_the_same(
    tmp_path: Path,
) -> None:
    layout = open_store(tmp_path / "store")
    publish(write_bare(tmp_path / "adder"), layout.root, progress=Silent())
    layout.model("adder").refs_json.unlink()
    (tmp_path / "adder" / "model.onnx").write_text("not a model")
    with pytest.raises(SyncError):
        publish(tmp_path / "adder", layout.root, progress=Silent())
    assert layout.model("adder").refs_json.samefile(layout.model("adder").generation(1))
