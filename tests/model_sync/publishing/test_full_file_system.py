"""A file system that is really full, from any step of a publication on: readers see what they saw.

`make test-slow`, as root: a small file system is mounted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pytest

from model_store.layout import StoreLayout
from model_store.package_set import Target
from model_sync.errors import SpaceError
from model_sync.package_sets.publish import publish_wheels
from model_sync.progress import Silent
from model_sync.publishing.publish import publish
from model_sync.store_io.create_store import open_store
from tests.support.file_systems import Filling, small_file_system
from tests.support.model_folders import RECIPE, write_bare
from tests.support.models import write_external_adder
from tests.support.snapshots import snapshot
from tests.support.wheels import write_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.slow

OPTIONS: Final = {"bytes": "size=8m", "files": "size=64m,nr_inodes=200"}


@pytest.fixture(params=OPTIONS)
def full_of(request: pytest.FixtureRequest) -> str:
    """Kind of resource that has run out."""
    return str(request.param)


@pytest.fixture
def mount(tmp_path: Path, full_of: str) -> Iterator[Path]:
    """A small file system."""
    with small_file_system(tmp_path / "mount", OPTIONS[full_of]) as place:
        yield place


def _assert_refused_in_a_line(error: SpaceError) -> None:
    assert "no room" in str(error)
    assert len(str(error).splitlines()) == 1


def test_a_publication_on_a_file_system_that_fills_up_changes_nothing(
    tmp_path: Path, mount: Path, full_of: str
) -> None:
    store = StoreLayout(mount / "store")
    publish(write_bare(tmp_path / "adder"), store.root, progress=Silent())
    folder = tmp_path / "other"
    write_external_adder(folder, np.ones(2), "weights.bin")
    (folder / "model.toml").write_text(RECIPE + "[pipeline]\nfile = 'pipeline.py'\n")
    (folder / "pipeline.py").write_text(
        "def decode(request): ...\ndef encode(outputs, request): ...\n"
    )
    before = snapshot(store.models)
    filled_at: list[str | None] = []
    while True:
        filling = Filling(mount, len(filled_at) + 1, files=full_of == "files")
        try:
            published = publish(folder, store.root, name="adder", progress=filling)
        except SpaceError as error:
            _assert_refused_in_a_line(error)
        else:
            break
        filled_at.append(filling.filled_at)
        assert snapshot(store.models) == before
        assert list((store.root / "staging").iterdir()) == []
        filling.empty()
    assert filled_at == [
        "copying model.onnx",
        "copying external data",
        "copying the pipeline",
        "inspecting the model",
        "trying it: loading, and 0 golden cases",
    ]
    assert (published.version, published.generation) == (2, 2)


def test_a_package_set_on_a_file_system_that_fills_up_is_not_there(
    tmp_path: Path, mount: Path, full_of: str
) -> None:
    layout = open_store(mount / "store")
    wheel = write_wheel(tmp_path / "wheels", "alpha")
    filled_at: list[str | None] = []
    while True:
        filling = Filling(mount, len(filled_at) + 1, files=full_of == "files")
        try:
            _, created = publish_wheels((wheel,), layout, Target.running(), filling)
        except SpaceError as error:
            _assert_refused_in_a_line(error)
        else:
            break
        filled_at.append(filling.filled_at)
        assert not list(layout.packages.glob("*"))
        assert list((layout.root / "staging").iterdir()) == []
        filling.empty()
    assert filled_at == ["unpacking 1 wheel", "compiling 1 module", "hashing 7 files"]
    assert created


def test_a_store_on_a_full_file_system_is_not_made(mount: Path, full_of: str) -> None:
    filling = Filling(mount, 1, files=full_of == "files")
    filling.step("now")
    with pytest.raises(SpaceError) as caught:
        open_store(mount / "store")
    _assert_refused_in_a_line(caught.value)
    filling.empty()
    assert open_store(mount / "store").store_json.exists()


@pytest.mark.parametrize("full_of", ["bytes"], indirect=True)
def test_what_does_not_fit_is_refused_by_what_the_file_system_says(
    tmp_path: Path, mount: Path
) -> None:
    folder = tmp_path / "adder"
    write_external_adder(folder, np.ones(3_000_000), "weights.bin")
    with pytest.raises(SpaceError, match=r"no room for .*adder in .*: [0-9]+ bytes are missing"):
        publish(folder, mount / "store", progress=Silent())
    assert not (mount / "store" / "models").exists()
