"""Every kind of damage is found and named, and nothing else is."""

from __future__ import annotations

import json
import os
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from model_store.errors import NotFoundError, StoreUnreachableError
from model_sync.errors import RequestError
from model_sync.verify.folder_check import unlisted_entries_and_modes
from model_sync.verify.published_folders import version_folder
from tests.model_sync.rich_store import (
    ADDER,
    GREETER,
    ask,
    newest,
    preparation_path,
    set_digest,
    set_path,
    version_path,
)
from tests.support.damage import flip_in_the_middle
from tests.support.snapshots import snapshot

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from model_store.layout import StoreLayout

GRAPH = "source/model.onnx"


def problems(root: Path, **fields: Any) -> list[tuple[str, str]]:
    found = ask(root, "verify", **fields)["problems"]
    assert all("\n" not in each["problem"] for each in found)
    return [(each["what"], each["problem"]) for each in found]


def only_problem(root: Path) -> tuple[str, str]:
    ((what, problem),) = problems(root)
    return what, problem


def test_a_sound_store_has_no_problem_and_is_not_written_to(rich: StoreLayout) -> None:
    before = snapshot(rich.root)
    found = ask(rich.root, "verify")
    assert found["problems"] == []
    assert snapshot(rich.root) == before
    checked = found["checked"]
    kinds = ("models", "versions", "preparations", "package_sets")
    assert tuple(checked[kind] for kind in kinds) == (2, 4, 4, 1)
    folders = [version_path(rich.root, number) for number in (1, 2, 4)]
    folders += [preparation_path(rich.root, number) for number in (1, 2, 4)]
    folders += [version_path(rich.root, 1, GREETER), preparation_path(rich.root, 1, GREETER)]
    folders.append(set_path(rich.root))
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    assert checked["files"] == len(files)
    assert checked["bytes"] == sum(path.stat().st_size for path in files)


def test_one_model_is_verified_with_the_sets_that_it_imports_from(rich: StoreLayout) -> None:
    flip_in_the_middle(version_path(rich.root, 1) / GRAPH)
    flip_in_the_middle(next(set_path(rich.root).rglob("*.py")))
    assert [what for what, _ in problems(rich.root, model=ADDER)] == [f"{ADDER}@1"]
    assert [what.split("/")[0] for what, _ in problems(rich.root, model=GREETER)] == ["packages"]


def damage_flip(root: Path) -> str:
    flip_in_the_middle(version_path(root, 1) / GRAPH)
    return "source/model.onnx is damaged: published with digest"


def damage_missing(root: Path) -> str:
    (version_path(root, 1) / GRAPH).unlink()
    return "source/model.onnx is missing"


def damage_truncated(root: Path) -> str:
    path = version_path(root, 1) / GRAPH
    path.write_bytes(path.read_bytes()[:-1])
    return "source/model.onnx is damaged: published as"


def damage_grown(root: Path) -> str:
    with (version_path(root, 1) / GRAPH).open("ab") as file:
        file.write(b"!")
    return "bytes, it has more"


def damage_link(root: Path) -> str:
    path = version_path(root, 1) / GRAPH
    path.rename(root.parent / "elsewhere.onnx")
    path.symlink_to(root.parent / "elsewhere.onnx")
    return "source/model.onnx cannot be read: Too many levels of symbolic links"


def damage_pipe(root: Path) -> str:
    path = version_path(root, 1) / GRAPH
    path.unlink()
    os.mkfifo(path)
    return "source/model.onnx cannot be read: not a regular file"


def damage_extra(root: Path) -> str:
    path = version_path(root, 1) / "source" / "more.bin"
    path.write_bytes(b"x")
    path.chmod(0o644)
    return "source/more.bin was not published"


def damage_extra_link(root: Path) -> str:
    (version_path(root, 1) / "way").symlink_to("source")
    return "way is a link"


def damage_extra_folder(root: Path) -> str:
    (version_path(root, 1) / "golden").mkdir()
    return "golden was not published"


def damage_bytecode(root: Path) -> str:
    folder = version_path(root, 1) / "source" / "__pycache__"
    folder.mkdir()
    (folder / "pipeline.pyc").write_bytes(b"x")
    return "source/__pycache__ was written by a Python"


def damage_file_mode(root: Path) -> str:
    (version_path(root, 1) / GRAPH).chmod(0o600)
    return "source/model.onnx has mode 0600, not 0644"


def damage_folder_mode(root: Path) -> str:
    (version_path(root, 1) / "source").chmod(0o700)
    return "source has mode 0700, not 0755"


def damage_version_mode(root: Path) -> str:
    version_path(root, 1).chmod(0o775)
    return "has mode 0775, not 0755"


def damage_manifest_time(root: Path) -> str:
    path = version_path(root, 1) / "manifest.json"
    path.write_text(path.read_text() + "\n")  # parses, and is not how documents are spelled
    return "manifest.json is damaged: published as"


def damage_manifest_content(root: Path) -> str:
    path = version_path(root, 1) / "manifest.json"
    path.write_text(path.read_text().replace('"rtol": ', '"rtol": 1'))
    return "manifest.json is damaged: its contents do not match"


def damage_other_manifest(root: Path) -> str:
    shutil.copyfile(
        version_path(root, 2) / "manifest.json", version_path(root, 1) / "manifest.json"
    )
    return "manifest.json is not the manifest that refs name"


def damage_manifest_missing(root: Path) -> str:
    (version_path(root, 1) / "manifest.json").unlink()
    return "manifest.json is missing"


def damage_version_missing(root: Path) -> str:
    shutil.rmtree(version_path(root, 1))
    return "manifest.json is missing"


def damage_version_linked(root: Path) -> str:
    path = version_path(root, 1)
    path.rename(root.parent / "elsewhere")
    path.symlink_to(root.parent / "elsewhere")
    return "is a link, or its path contains one"


def damage_preparation(root: Path) -> str:
    path = preparation_path(root, 1) / "manifest.json"
    path.write_text(path.read_text().replace('"chosen": "plain"', '"chosen": "other"'))
    return "'chosen' names none of its variants"


def damage_preparation_missing(root: Path) -> str:
    shutil.rmtree(preparation_path(root, 1))
    return "manifest.json is missing"


def damage_preparation_extra(root: Path) -> str:
    path = preparation_path(root, 1) / "more"
    path.write_bytes(b"x")
    return "more was not published"


@pytest.mark.parametrize(
    "damage", [each for name, each in sorted(globals().items()) if name.startswith("damage_")]
)
def test_damage_to_a_version_is_found_and_named(
    rich: StoreLayout, damage: Callable[[Path], str]
) -> None:
    expected = damage(rich.root)
    what, problem = only_problem(rich.root)
    assert what == f"{ADDER}@1"
    assert expected in problem


def broken_set_file(root: Path) -> str:
    flip_in_the_middle(next(set_path(root).rglob("*.py")))
    return ".py is damaged: published with digest"


def broken_set_file_missing(root: Path) -> str:
    next(set_path(root).rglob("*.py")).unlink()
    return ".py is missing"


def broken_set_extra(root: Path) -> str:
    (set_path(root) / "site-packages" / "extra.pth").write_text("import os")
    return "extra.pth was not published"


def broken_set_bytecode(root: Path) -> str:
    (set_path(root) / "site-packages" / "__pycache__").mkdir()
    return "__pycache__ was written by a Python"


def broken_set_files_json(root: Path) -> str:
    flip_in_the_middle(set_path(root) / "files.json")
    return "files.json is damaged: published with digest"


def broken_set_files_missing(root: Path) -> str:
    (set_path(root) / "files.json").unlink()
    return "files.json cannot be read: No such file"


def broken_set_manifest(root: Path) -> str:
    path = set_path(root) / "manifest.json"
    path.write_text(path.read_text().replace('"version": "1.0"', '"version": "1.1"'))
    return "its contents do not match its digest"


def broken_set_counts(root: Path) -> str:
    path = set_path(root) / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["size_bytes"] += 1
    path.write_text(json.dumps(manifest, indent=2, sort_keys=True) + "\n")
    return "files.json lists "


def broken_set_mode(root: Path) -> str:
    (set_path(root) / "site-packages").chmod(0o750)
    return "site-packages has mode 0750"


def broken_set_missing(root: Path) -> str:
    digest = set_digest(root)
    shutil.rmtree(set_path(root))
    return f"the store holds no package set {digest}"


@pytest.mark.parametrize(
    "damage", [each for name, each in sorted(globals().items()) if name.startswith("broken_set_")]
)
def test_damage_to_a_package_set_is_found_and_named(
    rich: StoreLayout, damage: Callable[[Path], str]
) -> None:
    folder = set_path(rich.root).relative_to(rich.root).as_posix()
    expected = damage(rich.root)
    what, problem = only_problem(rich.root)
    assert what == folder
    assert expected in problem


def test_a_package_set_under_another_name_is_found_without_a_version_that_names_it(
    rich: StoreLayout,
) -> None:
    other = rich.packages / ("0" * 64)
    shutil.copytree(set_path(rich.root), other)
    what, problem = only_problem(rich.root)
    assert what == f"packages/{other.name}"
    assert "is the manifest of another package set" in problem


@pytest.mark.parametrize("left", ["files.json", None])
def test_a_set_that_a_sweep_is_deleting_is_no_problem_if_no_version_needs_it(
    rich: StoreLayout, left: str | None
) -> None:
    other = rich.packages / ("0" * 64)
    shutil.copytree(set_path(rich.root), other)
    (other / "DELETING").touch()
    (other / "manifest.json").unlink()
    shutil.rmtree(other / "site-packages")
    if left is None:
        (other / "files.json").unlink()
    assert problems(rich.root) == []
    (set_path(rich.root) / "DELETING").touch(mode=0o644)  # claimed, and to be given back
    assert problems(rich.root) == []
    broken_set_file(rich.root)
    assert len(problems(rich.root)) == 1


def test_one_damaged_thing_does_not_stop_the_rest(rich: StoreLayout) -> None:
    damage_flip(rich.root)
    damage_preparation_missing(rich.root)
    broken_set_file(rich.root)
    (version_path(rich.root, 2) / "manifest.json").write_text("{")
    rich.store_json.write_text("{")
    set_name = set_path(rich.root).relative_to(rich.root).as_posix()
    flip_in_the_middle(version_path(rich.root, 1, GREETER) / "pipeline" / "pipeline.py")
    rich.model(GREETER).refs_json.unlink()
    rich.model(GREETER).refs_json.write_text("{")
    whats = [what for what, _ in problems(rich.root)]
    versions = [f"{GREETER}@1", f"{ADDER}@1", f"{ADDER}@1", f"{ADDER}@2"]
    assert whats == sorted(["STORE.json", f"models/{GREETER}", set_name, *versions])


def test_a_name_of_many_lines_is_told_on_one(rich: StoreLayout) -> None:
    (version_path(rich.root, 1) / "a\nb\udcff").write_text("x")
    _, problem = only_problem(rich.root)
    assert "a\\nb\\udcff" in problem


def test_what_stands_in_no_manifest_is_not_looked_into(rich: StoreLayout) -> None:
    deep = version_path(rich.root, 1) / "deep" / "er"
    deep.mkdir(parents=True)
    entry = newest(rich.root).versions[1]
    (told,) = unlisted_entries_and_modes(version_folder(rich, ADDER, entry))
    assert told.endswith("deep was not published: no manifest lists it")


def test_a_store_that_is_away_is_not_damaged(rich: StoreLayout) -> None:
    rich.store_json.unlink()
    with pytest.raises(StoreUnreachableError):
        ask(rich.root, "verify")


def test_what_is_asked_wrongly_is_refused(rich: StoreLayout) -> None:
    with pytest.raises(NotFoundError, match="no model is named 'none'"):
        ask(rich.root, "verify", model="none")
    with pytest.raises(RequestError, match="'deep' is no field"):
        ask(rich.root, "verify", deep=True)
