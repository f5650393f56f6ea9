from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from model_sync.errors import RecipeError, SourceError, SyncError
from model_sync.sources.folder import FolderSource
from model_sync.sources.recipe import Build, Golden, Packages, PipelineFiles, Recipe, read_recipe

if TYPE_CHECKING:
    from pathlib import Path

WHOLE = """
name = "adder"
[model]
file = "build/model.onnx"
[build]
script = "build.py"
outputs = ["build/model.onnx", "build/words.txt"]
requirements = "code/build.txt"
[pipeline]
file = "code/pipeline.py"
data = ["build/words.txt"]
[golden]
folder = "golden"
rtol = 0.5
atol = 0
[packages]
requirements = "code/requirements.txt"
"""

REFUSED = {
    "no toml": ("name = ", "model.toml cannot be read"),
    "a key twice": ('name = "a"\nname = "b"', "cannot be read"),
    "unknown key": ("nmae = 'a'", "unknown keys: .?nmae"),
    "unknown table": ("[models]\nfile = 'a'", "unknown keys: .?models"),
    "unknown key in model": ("[model]\nfile = 'a'\nfiles = 'b'", "model holds unknown .*files"),
    "unknown key in build": ("[build]\nscript='a'\noutputs=[]\nx=1", "build holds unknown .*x"),
    "unknown key in pipeline": ("[pipeline]\nfile='a'\nx=1", "pipeline holds unknown .*x"),
    "unknown key in golden": ("[golden]\nx=1", "golden holds unknown .*x"),
    "unknown key in packages": (
        "[packages]\nrequirements='a'\nentry_modules=['b']",
        "packages holds unknown .*entry_modules",
    ),
    "packages without requirements": ("[packages]", "lacks 'requirements'"),
    "requirements of a wrong type": ("[packages]\nrequirements=['a']", "is not a string"),
    "requirements outside": ("[packages]\nrequirements = '../a'", "is refused"),
    "name of a wrong type": ("name = 7", "'name' is not a string"),
    "name that is a date": ("name = 2026-11-23", "'name' is not a string"),
    "impossible name": ("name = 'Adder'", "model name 'Adder' is refused"),
    "name that leads out": ("name = '../adder'", "is refused"),
    "table of a wrong type": ("model = 'model.onnx'", "model"),
    "list of tables": ("[[model]]\nfile = 'a'", "model"),
    "model without file": ("[model]", "lacks 'file'"),
    "model file of a wrong type": ("[model]\nfile = ['a']", "'file' is not a string"),
    "model file outside": ("[model]\nfile = '../model.onnx'", "is refused"),
    "model file absolute": ("[model]\nfile = '/model.onnx'", "is refused"),
    "model file not normal": ("[model]\nfile = './model.onnx'", "is refused"),
    "model file empty": ("[model]\nfile = ''", "is refused"),
    "build without script": ("[build]\noutputs = ['a']", "lacks 'script'"),
    "build without outputs": ("[build]\nscript = 'a'", "lacks 'outputs'"),
    "script outside": ("[build]\nscript = '../a'\noutputs = ['a']", "is refused"),
    "output outside": ("[build]\nscript = 'a'\noutputs = ['a', '../b']", "is refused"),
    "build requirements of a wrong type": (
        "[build]\nscript='a'\noutputs=['b']\nrequirements=['c']",
        "'requirements' is not a string",
    ),
    "build requirements outside": (
        "[build]\nscript='a'\noutputs=['b']\nrequirements='../c'",
        "is refused",
    ),
    "outputs of a wrong type": ("[build]\nscript='a'\noutputs='a'", "'outputs' is not a list"),
    "outputs of wrong things": ("[build]\nscript='a'\noutputs=[1]", "'outputs' is not a list of"),
    "pipeline without file": ("[pipeline]\ndata = ['a']", "lacks 'file'"),
    "pipeline outside": ("[pipeline]\nfile = 'a/../../b'", "is refused"),
    "data outside": ("[pipeline]\nfile = 'a'\ndata = ['/etc/passwd']", "is refused"),
    "golden folder outside": ("[golden]\nfolder = '..'", "is refused"),
    "rtol of a wrong type": ("[golden]\nrtol = '0.1'", "'rtol' is not a finite number"),
    "rtol true": ("[golden]\nrtol = true", "'rtol' is not a finite number"),
    "rtol nan": ("[golden]\nrtol = nan", "'rtol' is not a finite number"),
    "rtol inf": ("[golden]\nrtol = inf", "'rtol' is not a finite number"),
    "rtol negative": ("[golden]\nrtol = -0.1", "'rtol' is not a finite number"),
    "rtol beyond floats": (f"[golden]\nrtol = 1{'0' * 400}", "'rtol' is not a finite number"),
    "atol negative": ("[golden]\natol = -1", "'atol' is not a finite number"),
    "too deep": ("a = " + "[" * 100_000, "model.toml cannot be read"),
}


def _write(folder: Path, text: str | bytes) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "model.toml").write_bytes(text if isinstance(text, bytes) else text.encode())
    return folder


def _read(folder: Path, **names: str) -> Recipe:
    return read_recipe(FolderSource(folder), **{"implied_name": "implied", **names})


def test_every_key_is_read(tmp_path: Path) -> None:
    assert _read(_write(tmp_path, WHOLE)) == Recipe(
        name="adder",
        model_file="build/model.onnx",
        build=Build("build.py", ("build/model.onnx", "build/words.txt"), "code/build.txt"),
        pipeline=PipelineFiles("code/pipeline.py", ("build/words.txt",)),
        golden=Golden("golden", rtol=0.5, atol=0.0),
        packages=Packages("code/requirements.txt"),
    )


@pytest.mark.parametrize("text", [None, "", "# nothing\n"])
def test_every_table_is_optional(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        _write(tmp_path, text)
    assert _read(tmp_path) == Recipe(name="implied", golden=Golden(None, 1e-5, 1e-6))


def test_keys_within_a_table_are_optional_too(tmp_path: Path) -> None:
    recipe = _read(_write(tmp_path, "[pipeline]\nfile = 'p.py'\n[golden]\natol = 1"))
    assert recipe.pipeline == PipelineFiles("p.py", ())
    assert recipe.golden == Golden(None, rtol=1e-5, atol=1.0)


@pytest.mark.parametrize(("text", "reason"), REFUSED.values(), ids=REFUSED)
def test_a_recipe_is_refused(tmp_path: Path, text: str, reason: str) -> None:
    with pytest.raises(RecipeError, match=reason) as caught:
        _read(_write(tmp_path, text))
    assert str(tmp_path / "model.toml") in str(caught.value) or "is refused" in reason
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("text", [b"\xff\xfe", b'name = "\xe4"', b"\x00"])
def test_a_recipe_that_is_no_text_is_refused(tmp_path: Path, text: bytes) -> None:
    with pytest.raises(RecipeError, match=r"model\.toml cannot be read"):
        _read(_write(tmp_path, text))


def test_a_recipe_of_a_size_that_no_person_wrote_is_not_read(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"model\.toml is larger than 1048576 bytes"):
        _read(_write(tmp_path, b"#" * (1 << 20) + b"#"))
    assert _read(_write(tmp_path, b"#" * (1 << 20))).name == "implied"


def test_a_recipe_outside_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "outside.toml").write_text("")
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "model.toml").symlink_to("../outside.toml")
    with pytest.raises(SourceError, match=r"model\.toml leads out"):
        _read(tmp_path / "model")


def test_a_recipe_that_cannot_be_read_is_not_a_missing_one(tmp_path: Path) -> None:
    (tmp_path / "model.toml").symlink_to("nothing")
    with pytest.raises(SyncError, match=r"model\.toml"):
        _read(tmp_path)


@pytest.mark.parametrize(
    ("implied", "stated", "given", "name"),
    [
        ("implied", None, None, "implied"),
        ("implied", "stated", None, "stated"),
        ("implied", "stated", "given", "given"),
        ("implied", None, "given", "given"),
        ("No Name", "stated", None, "stated"),
        ("No Name", None, "given", "given"),
        ("implied", "No Name", "given", "given"),
    ],
)
def test_the_given_name_wins_over_the_stated_one_and_that_over_the_implied(
    tmp_path: Path, implied: str, stated: str | None, given: str | None, name: str
) -> None:
    source = FolderSource(_write(tmp_path, f'name = "{stated}"' if stated else ""))
    assert read_recipe(source, name=given, implied_name=implied).name == name


@pytest.mark.parametrize("given", [None, "", "Given", "../given"])
def test_the_name_that_wins_must_be_possible(tmp_path: Path, given: str | None) -> None:
    source = FolderSource(_write(tmp_path, ""))
    with pytest.raises(RecipeError, match="is refused"):
        read_recipe(source, name=given, implied_name="No Name")


def test_an_empty_name_given_is_not_the_same_as_none(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="model name '' is refused"):
        _read(_write(tmp_path, ""), name="")


def test_a_folder_whose_name_is_no_models_says_how_to_give_another(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"^model name 'My Model' is refused: .* with --name, "):
        read_recipe(FolderSource(tmp_path), implied_name="My Model")
