"""Contents that do not fit are refused before the write, or in one line when space runs out."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

import numpy as np
import pytest

from model_store.layout import StoreLayout
from model_store.package_set import Target
from model_sync.errors import FULL, SpaceError, code_of
from model_sync.package_sets.publish import publish_wheels
from model_sync.preparation.trial import try_version
from model_sync.progress import Silent
from model_sync.publishing.publish import publish
from model_sync.sources.folder import FolderSource
from model_sync.store_io import durable
from model_sync.store_io.create_store import open_store
from model_sync.store_io.disk_space import require_space, writing
from model_sync.store_io.staging import Staging, copy_in
from tests.support.file_systems import files_end_at, say_free
from tests.support.model_folders import write_bare, write_full
from tests.support.models import write_external_adder
from tests.support.snapshots import snapshot
from tests.support.wheels import write_wheel

if TYPE_CHECKING:
    from pathlib import Path

    from tests.model_sync.conftest import Publish


def _with_data(folder: Path, floats: int) -> Path:
    """A model with so many floats of external data, none of which is zero."""
    write_external_adder(folder, np.ones(floats), "weights.bin")
    return folder


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def test_what_fits_to_the_last_byte_is_let_through(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    say_free(monkeypatch, 1000)
    require_space(tmp_path, 1000, "a model")
    with pytest.raises(SpaceError) as caught:
        require_space(tmp_path, 1001, "a model")
    assert str(caught.value) == (
        f"no room for a model in {tmp_path}: 1 bytes are missing "
        "(1001 are to be written, 1000 are free): make room, and try again"
    )
    assert code_of(caught.value) == "space"


def test_a_file_system_that_does_not_say_its_size_is_not_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    say_free(monkeypatch, 0, blocks=0)
    require_space(tmp_path, 1 << 50, "a model")

    def refusing(path: object) -> None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))

    monkeypatch.setattr(os, "statvfs", refusing)
    require_space(tmp_path, 1 << 50, "a model")


def test_no_file_system_holds_more_than_it_says(tmp_path: Path) -> None:
    with pytest.raises(SpaceError):
        require_space(tmp_path, 1 << 62, "a model")


@pytest.mark.parametrize("missing", [1, 400_000])
def test_a_model_that_does_not_fit_is_refused_before_its_data_are_copied(
    tmp_path: Path,
    publish_to: Publish,
    monkeypatch: pytest.MonkeyPatch,
    missing: int,
) -> None:
    publish_to(write_bare(tmp_path / "adder"))
    store = StoreLayout(tmp_path / "store")
    before = snapshot(store.models)
    folder = _with_data(tmp_path / "large", 100_000)
    graph = (folder / "model.onnx").stat().st_size
    # The graph is copied first: only that says which other files there are.
    say_free(monkeypatch, max(400_000 - missing, graph))
    copied: list[str] = []

    class Heard(Silent):
        def step(self, what: str, total_bytes: int = 0) -> None:
            copied.append(what)

    short = min(missing, 400_000 - graph)
    with pytest.raises(SpaceError, match=f"no room for {folder} in .*: {short} bytes are missing"):
        publish(folder, store.root, name="adder", progress=Heard())
    assert copied == ["copying model.onnx"]
    assert snapshot(store.models) == before
    assert list((store.root / "staging").iterdir()) == []


def test_a_model_whose_pipeline_and_cases_do_not_fit_is_refused_before_anything_is_copied(
    tmp_path: Path, publish_to: Publish, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_full(tmp_path / "adder")
    needed = _size(folder) - (folder / "model.toml").stat().st_size
    say_free(monkeypatch, needed - 3)
    with pytest.raises(SpaceError, match=f": 3 bytes are missing .{needed} are to be written"):
        publish_to(folder)
    assert not (tmp_path / "store" / "models").exists()
    say_free(monkeypatch, needed)
    assert publish_to(folder).version == 1


def test_packages_that_do_not_fit_unpacked_are_refused_before_they_are(
    tmp_path: Path, layout: StoreLayout, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel = write_wheel(tmp_path / "wheels", "large", files={"large.py": "#" * 100_000})
    say_free(monkeypatch, 100_000)
    with pytest.raises(SpaceError, match="no room for the 1 unpacked wheel of a package set"):
        publish_wheels((wheel,), layout, Target.running(), Silent())
    assert list(layout.root.rglob("large*")) == []
    tests = {"large/__init__.py": "", "large/tests/test_it.py": "#" * 100_000}
    wheel = write_wheel(tmp_path / "wheels", "large", files=tests)
    assert publish_wheels((wheel,), layout, Target.running(), Silent())[1]


def test_where_the_room_ends_is_told_with_what_is_missing_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "file").write_bytes(b"1" * 3_000_000)
    source = FolderSource(tmp_path / "model")
    with files_end_at(1_500_000), pytest.raises(SpaceError) as caught:
        copy_in(source, "file", tmp_path, "copy", lambda _: None, size_bytes=3_000_000)
    assert str(caught.value) == (
        "no room left while writing copy: at least 1500000 bytes are missing "
        "(File too large): make room, and try again"
    )


@pytest.mark.parametrize("number", sorted(FULL))
def test_whatever_the_system_calls_it_is_a_space_error(number: int) -> None:
    refusal = OSError(number, os.strerror(number))
    with (
        pytest.raises(SpaceError, match="no room left while writing it: at least 1 bytes"),
        writing("it"),
    ):
        raise refusal
    assert code_of(refusal) == "space"


def test_other_errors_are_left_as_they_are(layout: StoreLayout) -> None:
    with pytest.raises(PermissionError), Staging(layout), writing("it"):
        raise PermissionError(errno.EACCES, "no")
    assert code_of(OSError(errno.EIO, "")) == "system"


def test_other_errors_say_what_they_are_about_even_where_only_a_descriptor_was_known() -> None:
    with pytest.raises(OSError, match=r"Input/output error: 'it'$"), writing("it"):
        raise OSError(errno.EIO, os.strerror(errno.EIO))
    with pytest.raises(OSError, match=r"Input/output error: 'its/own'$"), writing("it"):
        raise OSError(errno.EIO, os.strerror(errno.EIO), "its/own")


def _end_staging(layout: StoreLayout, error: OSError) -> None:
    with Staging(layout) as staging:
        staging.folder.joinpath("begun").mkdir()
        raise error


@pytest.mark.parametrize("number", sorted(FULL))
def test_what_ends_a_staging_for_lack_of_room_is_a_space_error(
    layout: StoreLayout, number: int
) -> None:
    full = OSError(number, os.strerror(number), "/a/name")
    with pytest.raises(SpaceError, match="no room left while writing /a/name"):
        _end_staging(layout, full)
    with pytest.raises(SpaceError, match=f"while writing {layout.root}"):
        _end_staging(layout, OSError(number, os.strerror(number)))
    assert list((layout.root / "staging").iterdir()) == []


def test_a_document_that_does_not_fit_leaves_no_part_of_it(tmp_path: Path) -> None:
    with (
        files_end_at(1000),
        pytest.raises(SpaceError, match="document: at least 500 bytes are missing"),
    ):
        durable.write_file(tmp_path / "document", b"1" * 1500)
    assert list(tmp_path.iterdir()) == []


def test_a_store_for_which_there_is_no_room_is_not_made(tmp_path: Path) -> None:
    with files_end_at(10), pytest.raises(SpaceError, match="STORE"):
        open_store(tmp_path / "store")
    assert list((tmp_path / "store").iterdir()) == []
    assert open_store(tmp_path / "store").store_json.exists()


# Of a bare model: the graph (130 bytes or so), the external data, the manifest.
@pytest.mark.parametrize(
    ("end", "what"), [(50, "source/model.onnx"), (600, "manifest.json"), (50_000, "weights.bin")]
)
def test_wherever_a_publication_runs_out_of_room_nothing_is_changed(
    tmp_path: Path, publish_to: Publish, end: int, what: str
) -> None:
    publish_to(write_bare(tmp_path / "adder"))
    store = StoreLayout(tmp_path / "store")
    before = snapshot(store.models)
    folder = _with_data(tmp_path / "other", 100 if what == "manifest.json" else 100_000)
    with (
        files_end_at(end),
        pytest.raises(SpaceError, match=f"{what}: at least [0-9]+ bytes are missing"),
    ):
        publish_to(folder, name="adder", allow_signature_change=True)
    assert snapshot(store.models) == before
    assert list((store.root / "staging").iterdir()) == []


def test_a_package_that_runs_out_of_room_is_no_package_that_cannot_be_unpacked(
    tmp_path: Path, layout: StoreLayout
) -> None:
    wheel = write_wheel(tmp_path / "wheels", "large", files={"large.py": "#" * 100_000})
    with (
        files_end_at(60_000),
        pytest.raises(SpaceError, match=f"what {wheel.name} holds") as caught,
    ):
        publish_wheels((wheel,), layout, Target.running(), Silent())
    assert int(str(caught.value).split(": at least ")[1].split()[0]) >= 40_000
    assert list((layout.root / "staging").iterdir()) == []


@pytest.mark.own_processes  # the limit is inherited
def test_a_trial_whose_result_does_not_fit_is_no_fault_of_the_model(
    tmp_path: Path, publish_to: Publish
) -> None:
    publish_to(write_bare(tmp_path / "adder"))
    layout = StoreLayout(tmp_path / "store")
    [version] = layout.model("adder").versions.iterdir()
    with files_end_at(20), pytest.raises(SpaceError, match="no room left while writing"):
        try_version(version, tmp_path / "result", layout=layout)
