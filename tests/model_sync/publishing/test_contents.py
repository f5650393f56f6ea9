"""Files that are staged of a folder, and changes that make different contents."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from model_sync.errors import RecipeError, SourceError
from model_sync.progress import Silent
from model_sync.publishing.contents import stage_contents
from model_sync.sources.folder import FolderSource
from model_sync.sources.recipe import read_recipe
from tests.support.model_folders import PIPELINE, RECIPE, write_bare, write_full
from tests.support.models import write_adder, write_external_adder

if TYPE_CHECKING:
    from pathlib import Path

    from model_store.version import VersionContent


def _stage(folder: Path, staged: Path) -> VersionContent:
    source = FolderSource(folder)
    staged.mkdir()
    return stage_contents(read_recipe(source, implied_name="adder"), source, staged, Silent())


def _paths(content: VersionContent) -> list[str]:
    return [entry.path for entry in content.files]


@pytest.fixture
def staged(tmp_path: Path) -> Path:
    return tmp_path / "staged"


def test_a_bare_folder_with_one_model_holds_that(tmp_path: Path, staged: Path) -> None:
    content = _stage(write_bare(tmp_path / "adder"), staged)
    assert _paths(content) == ["source/model.onnx"]
    assert content.model_file == "source/model.onnx"
    assert content.pipeline_file is None
    assert content.golden.cases == ()


def test_hidden_files_in_a_bare_folder_are_nobodys_business(tmp_path: Path, staged: Path) -> None:
    folder = write_bare(tmp_path / "adder")
    for name in (".DS_Store", ".hidden.onnx"):
        (folder / name).write_text("")
    assert _paths(_stage(folder, staged)) == ["source/model.onnx"]


def test_a_bare_folder_may_hold_the_models_external_data(tmp_path: Path, staged: Path) -> None:
    write_external_adder(tmp_path / "adder", np.ones(2), "weights.bin")
    content = _stage(tmp_path / "adder", staged)
    assert _paths(content) == ["source/model.onnx", "source/weights.bin"]


@pytest.mark.parametrize(
    ("stranger", "named"),
    [("words.txt", "words.txt"), ("sub/pipeline.py", "sub/pipeline.py"), ("a.onnx.bak", "a.onnx")],
)
def test_what_a_bare_folder_holds_besides_is_named(
    tmp_path: Path, staged: Path, stranger: str, named: str
) -> None:
    folder = write_bare(tmp_path / "adder")
    (folder / stranger).parent.mkdir(exist_ok=True)
    (folder / stranger).write_text("")
    with pytest.raises(RecipeError, match=named):
        _stage(folder, staged)


@pytest.mark.parametrize("count", [0, 2])
def test_which_of_no_model_or_several_is_meant_is_asked(
    tmp_path: Path, staged: Path, count: int
) -> None:
    (tmp_path / "adder").mkdir()
    for number in range(count):
        write_adder(tmp_path / "adder", 1.0, name=f"{number}.onnx")
    with pytest.raises(RecipeError, match=r"name the model in model\.toml"):
        _stage(tmp_path / "adder", staged)


def test_a_recipe_without_a_model_means_the_only_one(tmp_path: Path, staged: Path) -> None:
    folder = write_bare(tmp_path / "adder")
    (folder / "model.toml").write_text('name = "other"\n')
    (folder / "notes.txt").write_text("with a recipe, what it does not name is left out")
    assert _paths(_stage(folder, staged)) == ["source/model.onnx"]


def test_a_pipeline_and_its_data_keep_their_places_towards_each_other(
    tmp_path: Path, staged: Path
) -> None:
    folder = write_bare(tmp_path / "adder")
    for path in ("code/pipeline.py", "build/words.txt", "code/more.txt"):
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_text(path)
    (folder / "model.toml").write_text(
        RECIPE
        + '[pipeline]\nfile = "code/pipeline.py"\ndata = ["build/words.txt", "code/more.txt"]'
    )
    content = _stage(folder, staged)
    assert content.pipeline_file == "pipeline/code/pipeline.py"
    assert (staged / "pipeline" / "build" / "words.txt").read_text() == "build/words.txt"
    assert (staged / "pipeline" / "code" / "more.txt").read_text() == "code/more.txt"


def test_data_named_twice_are_copied_once(tmp_path: Path, staged: Path) -> None:
    folder = write_bare(tmp_path / "adder")
    (folder / "pipeline.py").write_text(PIPELINE)
    twice = '[pipeline]\nfile = "pipeline.py"\ndata = ["pipeline.py", "model.onnx", "model.onnx"]'
    (folder / "model.toml").write_text(RECIPE + twice)
    paths = ["pipeline/model.onnx", "pipeline/pipeline.py", "source/model.onnx"]
    assert _paths(_stage(folder, staged)) == paths


def test_golden_cases_are_named_by_their_folders(tmp_path: Path, staged: Path) -> None:
    cases = {name: ([1, 2], {"y": [2, 3]}) for name in ("größe", "b", "a b")}
    content = _stage(write_full(tmp_path / "adder", cases=cases), staged)
    assert content.golden.cases == ("a b", "b", "größe")
    assert "golden/größe/request.json" in _paths(content)


@pytest.mark.parametrize(
    ("there", "named"), [("expected.json", "answer.json"), ("request.json", "input.json")]
)
def test_a_case_whose_files_are_called_otherwise_is_refused(
    tmp_path: Path, staged: Path, there: str, named: str
) -> None:
    folder = write_full(tmp_path / "adder")
    (folder / "golden" / "one" / there).rename(folder / "golden" / "one" / named)
    with pytest.raises(SourceError, match=r"expected one request\.\* and expected\.json"):
        _stage(folder, staged)


def test_a_case_folder_with_a_name_that_cannot_be_is_refused(tmp_path: Path, staged: Path) -> None:
    folder = write_full(tmp_path / "adder", cases={"a\nb": ([1, 2], {"y": [2, 3]})})
    with pytest.raises(SourceError, match="is refused") as caught:
        _stage(folder, staged)
    assert len(str(caught.value).splitlines()) == 1
