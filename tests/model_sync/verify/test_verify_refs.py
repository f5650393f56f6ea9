"""Damage to refs is found and named; a writer at work is none."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from model_store.errors import StoreUnreachableError
from model_store.layout import MANIFEST
from model_store.names import new_id
from model_store.package_set import SITE_PACKAGES
from model_store.refs import State
from model_sync.package_sets.unused_marks import DELETING
from model_sync.progress import Silent
from model_sync.publishing.publish import publish
from tests.model_sync.rich_store import (
    ADDER,
    GREETER,
    ask,
    delete,
    newest,
    preparation_path,
    set_path,
    version_path,
)
from tests.support.model_folders import write_bare

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from model_store.layout import ModelLayout, StoreLayout

MODEL = f"models/{ADDER}"


def only_problem(root: Path) -> tuple[str, str]:
    (found,) = ask(root, "verify")["problems"]
    assert "\n" not in found["problem"]
    return found["what"], found["problem"]


def edit(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Write what a document becomes by a change, in place: a hard link of it changes too."""
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document, indent=2, sort_keys=True) + "\n")


def missing(model: ModelLayout) -> str:
    model.generation(2).unlink()
    return "refs/2.json is missing"


def missing_the_newest_but_not_refs_json(model: ModelLayout) -> str:
    number = newest(model.root).generation
    model.generation(number).unlink()
    return f"refs/{number}.json is missing"


def not_json(model: ModelLayout) -> str:
    model.generation(3).write_text("{")
    return "refs/3.json is not a JSON document"


def another_number(model: ModelLayout) -> str:
    shutil.copyfile(model.generation(2), model.generation(3))
    return "refs/3.json says generation 2"


def another_model(model: ModelLayout) -> str:
    edit(model.generation(3), lambda refs: refs.update(model="other"))
    return "refs/3.json is of the model 'other'"


def another_model_id(model: ModelLayout) -> str:
    edit(model.generation(3), lambda refs: refs.update(model_id=new_id()))
    return "refs/3.json: its model id is"


def another_version_of_a_number(model: ModelLayout) -> str:
    edit(model.generation(3), lambda refs: refs["versions"]["1"].update(id=new_id()))
    return "refs/3.json: its version 1 differs from version 1 of the newest"


def another_digest_of_a_number(model: ModelLayout) -> str:
    digest = "sha256:" + 64 * "0"
    edit(model.generation(3), lambda refs: refs["versions"]["1"].update(digest=digest))
    return "refs/3.json: its version 1 differs from version 1 of the newest"


def a_deletion_taken_back(model: ModelLayout) -> str:
    edit(model.generation(3), lambda refs: refs["versions"]["1"].update(state="deleted"))
    return "refs/3.json: its version 1 is deleted, but available in the newest"


def a_number_that_could_be_given_again(model: ModelLayout) -> str:
    edit(model.generation(3), lambda refs: refs.update(next_version=100))
    return "refs/3.json: its next_version is above that of the newest"


def refs_json_not_json(model: ModelLayout) -> str:
    model.refs_json.unlink()
    model.refs_json.write_text("{")
    model.refs_json.chmod(0o644)
    return "refs.json is not a JSON document"


def refs_json_another(model: ModelLayout) -> str:
    data = model.refs_json.read_bytes().replace(b'"nightly"', b'"weekly"')
    model.refs_json.unlink()
    model.refs_json.write_bytes(data)
    model.refs_json.chmod(0o644)
    return "refs.json differs from its generation in refs/"


def refs_json_a_link(model: ModelLayout) -> str:
    model.refs_json.unlink()
    model.refs_json.symlink_to(model.generation(1))
    return "refs.json cannot be read: Too many levels of symbolic links"


def model_json_missing(model: ModelLayout) -> str:
    model.model_json.unlink()
    return "MODEL.json is missing"


def model_json_another(model: ModelLayout) -> str:
    edit(model.model_json, lambda document: document.update(id=new_id()))
    return "MODEL.json has the id"


def a_stranger_in_refs(model: ModelLayout) -> str:
    path = model.refs_folder / "notes.txt"
    path.write_text("x")
    path.chmod(0o644)
    return "refs/notes.txt is not a generation of refs"


def mode_of_a_generation(model: ModelLayout) -> str:
    model.generation(2).chmod(0o600)
    return "refs/2.json has mode 0600"


def mode_of_a_folder(model: ModelLayout) -> str:
    model.versions.chmod(0o700)
    return "versions has mode 0700"


DAMAGE = [
    missing,
    missing_the_newest_but_not_refs_json,
    not_json,
    another_number,
    another_model,
    another_model_id,
    another_version_of_a_number,
    another_digest_of_a_number,
    a_deletion_taken_back,
    a_number_that_could_be_given_again,
    refs_json_not_json,
    refs_json_another,
    refs_json_a_link,
    model_json_missing,
    model_json_another,
    a_stranger_in_refs,
    mode_of_a_generation,
    mode_of_a_folder,
]


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_to_refs_is_found_and_named(
    rich: StoreLayout, damage: Callable[[ModelLayout], str]
) -> None:
    expected = damage(rich.model(ADDER))
    what, problem = only_problem(rich.root)
    assert what == MODEL
    assert expected in problem


def test_versions_are_verified_by_the_newest_refs_that_can_be_read(rich: StoreLayout) -> None:
    model = rich.model(ADDER)
    model.refs_json.unlink()
    model.generation(1).unlink()
    model.generation(newest_listed(model)).write_text("{")
    shutil.rmtree(version_path_of(model, 2))
    whats = [each["what"] for each in ask(rich.root, "verify")["problems"]]
    # What deleted version 3 cannot be read: as far as refs say, it ought to be there.
    assert whats == [f"{ADDER}@2", *[f"{ADDER}@3"] * 2, MODEL, MODEL]


def test_versions_are_not_verified_by_refs_of_a_model_that_is_gone(rich: StoreLayout) -> None:
    model = rich.model(ADDER)
    number = newest_listed(model) + 1
    shutil.copyfile(rich.model(GREETER).generation(1), model.generation(number))
    stray = {"generation": number, "model": ADDER}
    edit(model.generation(number), lambda refs: refs.update(stray))
    assert f"refs/{number}.json: its model id is" in only_problem(rich.root)[1]


def newest_listed(model: ModelLayout) -> int:
    return max(int(path.stem) for path in model.refs_folder.iterdir())


def version_path_of(model: ModelLayout, number: int) -> Path:
    refs = json.loads(model.generation(newest_listed(model) - 1).read_text())
    return model.version(refs["versions"][str(number)]["id"])


@pytest.mark.parametrize("left", ["behind", "missing"])
def test_what_a_crash_leaves_of_refs_json_is_no_damage(rich: StoreLayout, left: str) -> None:
    model = rich.model(ADDER)
    model.refs_json.unlink()
    if left == "behind":
        model.refs_json.hardlink_to(model.generation(2))
    assert ask(rich.root, "verify")["problems"] == []


def test_folders_that_nothing_names_yet_are_no_damage(rich: StoreLayout) -> None:
    shutil.copytree(version_path(rich.root, 1), rich.model(ADDER).version(new_id()))
    rich.model("begun").folder.mkdir()
    assert ask(rich.root, "verify")["problems"] == []


class Meanwhile(Silent):
    """Does something to the store as soon as files, or refs, are being verified."""

    def __init__(self, what: Callable[[], object], step: str = "verifying") -> None:
        self._what = what
        self._step = step
        self._done = False

    def step(self, what: str, total_bytes: int = 0) -> None:
        if what.startswith(self._step) and not self._done:
            self._done = True
            self._what()


def test_a_version_that_a_sweep_deletes_meanwhile_is_no_problem(rich: StoreLayout) -> None:
    meanwhile = Meanwhile(lambda: delete(rich.root, ADDER, 4))
    found = ask(rich.root, "verify", meanwhile)
    assert found["problems"] == []
    assert found["checked"]["versions"] == 4  # it was to be verified, and was gone


@pytest.mark.parametrize("step", ["reading the refs", "verifying"])
def test_a_model_that_is_removed_meanwhile_is_no_problem(rich: StoreLayout, step: str) -> None:
    meanwhile = Meanwhile(lambda: shutil.rmtree(rich.model(ADDER).folder), step)
    assert ask(rich.root, "verify", meanwhile)["problems"] == []


def test_a_package_set_that_goes_meanwhile_is_no_problem_if_no_version_needs_it(
    rich: StoreLayout,
) -> None:
    folder = set_path(rich.root)

    def sweep() -> None:
        delete(rich.root, GREETER, 1)
        shutil.rmtree(folder)

    ask(rich.root, "unlabel", model=GREETER, label="latest")
    assert ask(rich.root, "verify", Meanwhile(sweep))["problems"] == []


@pytest.mark.parametrize("left", [(DELETING, MANIFEST, SITE_PACKAGES), (DELETING,), ()])
@pytest.mark.parametrize("pinned", [False, True])
def test_a_package_set_that_a_dead_sweep_left_is_a_problem_if_a_version_needs_it(
    rich: StoreLayout, left: tuple[str, ...], *, pinned: bool
) -> None:
    folder = set_path(rich.root)
    if not pinned:
        ask(rich.root, "unlabel", model=GREETER, label="latest")
        delete(rich.root, GREETER, 1)
    (folder / DELETING).touch()
    for name in {path.name for path in folder.iterdir()} - set(left):
        shutil.rmtree(folder / name) if (folder / name).is_dir() else (folder / name).unlink()
    found = ask(rich.root, "verify")["problems"]
    assert bool(found) is pinned


def test_what_is_deleted_without_a_word_in_refs_is_a_problem(rich: StoreLayout) -> None:
    def lose() -> None:
        shutil.rmtree(version_path(rich.root, 1))
        shutil.rmtree(preparation_path(rich.root, 2))

    found = ask(rich.root, "verify", Meanwhile(lose))
    assert [each["what"] for each in found["problems"]] == [f"{ADDER}@1", f"{ADDER}@2"]


def test_what_is_published_meanwhile_disturbs_nothing(rich: StoreLayout, tmp_path: Path) -> None:
    folder = write_bare(tmp_path / "more" / ADDER, 9)
    meanwhile = Meanwhile(lambda: publish(folder, rich.root, progress=Silent()))
    assert ask(rich.root, "verify", meanwhile)["problems"] == []
    assert newest(rich.root).versions[5].state is State.AVAILABLE


def test_a_mount_that_goes_away_meanwhile_is_no_damage(rich: StoreLayout) -> None:
    meanwhile = Meanwhile(lambda: rich.root.rename(rich.root.parent / "away"))
    with pytest.raises(StoreUnreachableError):
        ask(rich.root, "verify", meanwhile)
