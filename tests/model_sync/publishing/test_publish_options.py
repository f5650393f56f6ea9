"""Arguments of publishing: a folder, a store, a name, a label; and builds in the folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from model_store.errors import InvalidNameError
from model_store.reading import read_upward, refresh
from model_store.refs import LATEST
from model_sync.errors import RecipeError
from tests.support.model_folders import RECIPE, write_bare

if TYPE_CHECKING:
    from pathlib import Path

    from model_store.layout import StoreLayout
    from model_store.refs import Refs
    from tests.model_sync.conftest import Publish


def _refs(store: StoreLayout) -> Refs:
    return refresh(store, "adder", None).refs


def test_a_given_name_wins_over_the_recipes(
    tmp_path: Path, new_store: StoreLayout, publish_to: Publish
) -> None:
    folder = write_bare(tmp_path / "folder")
    (folder / "model.toml").write_text('name = "stated"\n')
    assert publish_to(folder, name="given").model == "given"
    assert {path.name for path in new_store.models.iterdir()} == {"given"}


@pytest.mark.parametrize("name", ["", "..", "a/b", "Given"])
def test_an_impossible_name_is_refused_before_anything_is_made(
    tmp_path: Path, new_store: StoreLayout, publish_to: Publish, name: str
) -> None:
    with pytest.raises(RecipeError, match="is refused"):
        publish_to(write_bare(tmp_path / "adder"), name=name)
    assert not new_store.root.exists()


def test_a_label_of_ones_own_is_moved_and_no_other(
    tmp_path: Path, new_store: StoreLayout, publish_to: Publish
) -> None:
    publish_to(write_bare(tmp_path / "adder", 1.0))
    published = publish_to(write_bare(tmp_path / "adder", 2.0), label="canary")
    assert published.labels == ("canary",)
    assert _refs(new_store).labels == {LATEST: 1, "canary": 2}


def test_an_impossible_label_is_refused(
    tmp_path: Path, new_store: StoreLayout, publish_to: Publish
) -> None:
    with pytest.raises(InvalidNameError, match="label 'No Label' is refused"):
        publish_to(write_bare(tmp_path / "adder"), label="No Label")
    assert read_upward(new_store.model("adder")) is None


@pytest.mark.parametrize("there", ["nothing", "a file", "a link to nothing"])
def test_what_is_no_folder_is_refused(
    tmp_path: Path, new_store: StoreLayout, publish_to: Publish, there: str
) -> None:
    folder = tmp_path / "adder"
    if there == "a file":
        folder.write_text("")
    elif there == "a link to nothing":
        folder.symlink_to("nothing")
    with pytest.raises(RecipeError, match="is no folder: name the folder of a model"):
        publish_to(folder)
    assert not new_store.root.exists()


def test_folder_and_store_may_be_relative_and_the_folder_the_current_one(
    tmp_path: Path, new_store: StoreLayout, publish_to: Publish, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(write_bare(tmp_path / "adder"))
    assert publish_to(tmp_path.__class__()).model == "adder"
    assert _refs(new_store).labels == {LATEST: 1}


def _with_build(folder: Path, script: str) -> Path:
    (write_bare(folder) / "build.py").write_text(script)
    (folder / "model.toml").write_text(
        RECIPE + "[build]\nscript = 'build.py'\noutputs = ['model.onnx']\n"
    )
    return folder


def test_a_build_script_is_run_when_its_output_is_missing(
    tmp_path: Path, publish_to: Publish
) -> None:
    script = "import pathlib; pathlib.Path('given.onnx').rename('model.onnx')"
    folder = _with_build(tmp_path / "adder", script)
    (folder / "model.onnx").rename(folder / "given.onnx")
    assert publish_to(folder).version == 1


def test_a_build_script_is_not_run_when_its_outputs_are_there(
    tmp_path: Path, publish_to: Publish
) -> None:
    folder = _with_build(tmp_path / "adder", "raise SystemExit('it was run')")
    assert publish_to(folder).version == 1
