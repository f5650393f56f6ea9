"""The verb prepare, on a real store: which versions, for which runtime, who else is writing."""

from __future__ import annotations

import json
import os
import shutil
import time
from typing import TYPE_CHECKING, Any

import pytest

from inference.loading.loader import RUNTIME, load_version
from model_store.errors import NotFoundError
from model_store.layout import StoreLayout
from model_store.names import new_id
from model_store.reading import read_preparation, read_upward
from model_store.refs import Hold, State
from model_sync.__main__ import main
from model_sync.admin.operations import run_operation
from model_sync.errors import ChangeError, OutOfTimeError, PackagesError, RequestError, TrialError
from model_sync.mounted_store import MountedStore
from model_sync.progress import Silent
from model_sync.publishing.publish import publish
from model_sync.publishing.resume import ToBeContinued, preparation_ms
from model_sync.sweep.verb import sweep_store
from model_sync.time_limit import TimeLimit
from tests.model_sync.late_link import LateLink
from tests.model_sync.rich_store import delete
from tests.support.damage import flip_a_byte
from tests.support.models import write_adder
from tests.support.other_runtime import OTHER, move_to_other_runtime
from tests.support.snapshots import ids_in, snapshot
from tests.support.trials import during_the_trial

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from model_store.refs import Refs

pytestmark = pytest.mark.store_of("other_runtime_store")


@pytest.fixture(scope="module")
def other_runtime_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Versions 1 to 4 of `adder`, prepared by another runtime; latest is 4, stable 2."""
    folder = tmp_path_factory.mktemp("adders")
    for constant in (1, 2, 3, 4):
        write_adder(folder / "adder", constant)
        publish(folder / "adder", folder / "store", progress=Silent())
    move_to_other_runtime(StoreLayout(folder / "store"), "adder")
    ask(StoreLayout(folder / "store"), "promote", version="2", label="stable")
    return folder / "store"


@pytest.fixture
def adders(store: Path) -> StoreLayout:
    return StoreLayout(store)


def ask(
    layout: StoreLayout,
    verb: str,
    *,
    model: str = "adder",
    remaining_ms: Callable[[], float] | None = None,
    **fields: Any,
) -> dict[str, Any]:
    opened = MountedStore(
        layout=layout, progress=Silent(), who="test", time_limit=TimeLimit(remaining_ms)
    )
    return run_operation(verb, opened, {"model": model, **fields})


def refs(layout: StoreLayout) -> Refs:
    found = read_upward(layout.model("adder"))
    assert found
    return found


def prepared_for(layout: StoreLayout) -> dict[int, set[str]]:
    return {number: set(entry.preparations) for number, entry in refs(layout).versions.items()}


def sweep(layout: StoreLayout, *, days: float) -> None:
    opened = MountedStore(layout=layout, progress=Silent(), who="test")
    assert sweep_store(opened, time.time() + days * 86_400)["failures"] == []


def assert_only_what_is_named_is_there(layout: StoreLayout) -> None:
    named = {
        made for entry in refs(layout).versions.values() for made in entry.preparations.values()
    }
    once_named = {
        made
        for path in layout.model("adder").refs_folder.iterdir()
        for version in json.loads(path.read_text())["versions"].values()
        for made in version["preparations"].values()
    }
    assert named <= ids_in(layout.model("adder"))[1] <= once_named
    assert list((layout.root / "staging").iterdir()) == []


def test_a_name_alone_is_every_version_that_a_label_or_a_running_hold_names(
    adders: StoreLayout,
) -> None:
    ask(adders, "hold", version=1, job="nightly", hours=5)
    ask(adders, "split", shares={"stable": 10})
    before = refs(adders).generation
    found = ask(adders, "prepare", reason="the move to it")
    assert [each["version"] for each in found["prepared"]] == [4, 2, 1]
    assert [each["created"] for each in found["prepared"]] == [True] * 3
    assert prepared_for(adders) == {
        1: {OTHER, RUNTIME},
        2: {OTHER, RUNTIME},
        3: {OTHER},
        4: {OTHER, RUNTIME},
    }
    newest = refs(adders)
    assert newest.generation == found["generation"] == before + 3, "one for each version"
    assert newest.change[2:] == ("prepare", "the move to it")
    assert_only_what_is_named_is_there(adders)


def test_a_hold_that_has_run_out_asks_for_nothing(adders: StoreLayout) -> None:
    opened = MountedStore(layout=adders, progress=Silent(), who="test")
    past = {"nightly": Hold(1, "2020-01-01T00:00:00Z")}
    opened.change("adder", lambda r: r._replace(holds=past), verb="hold", reason="")
    found = ask(adders, "prepare")
    assert [each["version"] for each in found["prepared"]] == [4, 2]


def test_a_held_version_that_is_retired_is_not_asked_for_by_the_name_alone(
    adders: StoreLayout,
) -> None:
    ask(adders, "retire", version=1)
    ask(adders, "hold", version=1, job="nightly", hours=5)
    assert [each["version"] for each in ask(adders, "prepare")["prepared"]] == [4, 2]


@pytest.mark.parametrize(("model", "number"), [("adder@3", 3), ("adder:stable", 2)])
def test_one_version_is_prepared_where_it_is_named(
    adders: StoreLayout, model: str, number: int
) -> None:
    found = ask(adders, "prepare", model=model)
    (entry,) = found["prepared"]
    assert (entry["version"], entry["runtime"], entry["created"]) == (number, RUNTIME, True)
    assert (entry["variant"], entry["why"][:9]) == ("plain", "balanced:")
    assert entry["digest"] == str(refs(adders).versions[number].digest)
    assert [each["name"] for each in entry["variants"]] == ["plain"]
    assert found["changed"] is True
    assert {n for n, keys in prepared_for(adders).items() if RUNTIME in keys} == {number}


def test_a_reader_of_either_runtime_finds_its_own(adders: StoreLayout) -> None:
    before = refs(adders).versions[4].preparations[OTHER]
    ask(adders, "prepare", model="adder@4")
    entry = refs(adders).versions[4]
    assert entry.preparations[OTHER] == before
    assert read_preparation(adders, "adder", entry, OTHER)
    assert read_preparation(adders, "adder", entry, RUNTIME)
    assert load_version(adders, "adder", 4, entry).number == 4


def test_what_is_prepared_already_is_unchanged_and_writes_nothing(adders: StoreLayout) -> None:
    made = ask(adders, "prepare")
    before = snapshot(adders.models)
    found = ask(adders, "prepare", runtime=RUNTIME)
    assert found["generation"] == made["generation"]
    assert found["changed"] is False
    assert [each["created"] for each in found["prepared"]] == [False, False]
    assert found["prepared"][0] == {**made["prepared"][0], "created": False}
    assert snapshot(adders.models) == before


def test_a_model_of_which_nothing_is_served_wants_a_version_named(adders: StoreLayout) -> None:
    for label in ("latest", "stable"):
        ask(adders, "unlabel", label=label)
    with pytest.raises(ChangeError, match=r"no label and no hold .* name a version, like adder@4"):
        ask(adders, "prepare")
    assert ask(adders, "prepare", model="adder@1")["changed"]


def test_another_runtime_is_refused_saying_which_this_is(adders: StoreLayout) -> None:
    with pytest.raises(
        ChangeError, match=f"^this is {RUNTIME}, .* for {OTHER} is measured on that"
    ):
        ask(adders, "prepare", runtime=OTHER)
    assert prepared_for(adders)[4] == {OTHER}


def test_what_is_not_in_service_is_refused_with_what_to_do(adders: StoreLayout) -> None:
    ask(adders, "retire", version=3)
    with pytest.raises(ChangeError, match=r"version 3 .* is retired: promote it back"):
        ask(adders, "prepare", model="adder@3")
    delete(adders.root, "adder", 3)
    with pytest.raises(ChangeError, match=r"version 3 .* was deleted: publish its contents again"):
        ask(adders, "prepare", model="adder@3")
    with pytest.raises(ChangeError, match="has no version 9: there are 1, 2, 3, 4"):
        ask(adders, "prepare", model="adder@9")
    with pytest.raises(NotFoundError, match="no model is named 'other'"):
        ask(adders, "prepare", model="other")


def test_a_version_that_is_retired_meanwhile_is_not_prepared(
    adders: StoreLayout, monkeypatch: pytest.MonkeyPatch
) -> None:
    during_the_trial(monkeypatch, lambda: ask(adders, "retire", version=3))
    with pytest.raises(ChangeError, match="version 3 of 'adder' is retired"):
        ask(adders, "prepare", model="adder@3")
    assert refs(adders).change.verb == "retire"
    assert_only_what_is_named_is_there(adders)


def test_of_two_who_prepare_one_version_the_first_stays(
    adders: StoreLayout, monkeypatch: pytest.MonkeyPatch
) -> None:
    won: list[dict[str, Any]] = []
    during_the_trial(monkeypatch, lambda: won.append(ask(adders, "prepare", model="adder@4")))
    lost = ask(adders, "prepare", model="adder@4")
    assert won[0]["changed"] is True
    assert lost == {
        **won[0],
        "changed": False,
        "prepared": [{**won[0]["prepared"][0], "created": False}],
    }
    assert_only_what_is_named_is_there(adders)


def test_other_changes_meanwhile_are_kept(
    adders: StoreLayout, monkeypatch: pytest.MonkeyPatch
) -> None:
    during_the_trial(monkeypatch, lambda: ask(adders, "promote", version="1"))
    assert ask(adders, "prepare", model="adder@3")["changed"]
    assert refs(adders).labels == {"latest": 1, "stable": 2}
    assert RUNTIME in prepared_for(adders)[3]


def test_again_replaces_a_preparation_which_stays_as_long_as_its_version(
    adders: StoreLayout,
) -> None:
    ask(adders, "prepare")
    first = refs(adders).versions[2].preparations[RUNTIME]
    found = ask(adders, "prepare", again=True)
    assert [each["created"] for each in found["prepared"]] == [True, True]
    second = refs(adders).versions[2].preparations[RUNTIME]
    assert second != first
    kept = {first, second, refs(adders).versions[2].preparations[OTHER]}
    sweep(adders, days=3)
    assert kept <= ids_in(adders.model("adder"))[1], "readers that mapped it go on with it"
    for number in ("1", "3"):
        ask(adders, "promote", version=number, label="stable")
    ask(adders, "retire", version=2)
    sweep(adders, days=3)
    assert refs(adders).versions[2].state is State.DELETED
    assert not kept & ids_in(adders.model("adder"))[1]


def test_a_preparation_that_nothing_ever_named_is_swept_after_a_day(
    adders: StoreLayout, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, before = ids_in(adders.model("adder"))
    abandoned = new_id()
    shutil.copytree(
        adders.model("adder").preparation(next(iter(before))),
        adders.model("adder").preparation(abandoned),
    )
    sweep(adders, days=0.9)
    assert abandoned in ids_in(adders.model("adder"))[1]
    sweep(adders, days=1.1)
    assert abandoned not in ids_in(adders.model("adder"))[1]


def test_a_version_that_fails_here_is_named_and_nothing_is_left(adders: StoreLayout) -> None:
    entry = refs(adders).versions[4]
    flip_a_byte(adders.model("adder").version(entry.id) / "source" / "model.onnx")
    with pytest.raises(TrialError, match=r"version 4 of 'adder': .*model.onnx is damaged"):
        ask(adders, "prepare")
    assert RUNTIME not in prepared_for(adders)[4]
    assert_only_what_is_named_is_there(adders)


def test_a_version_whose_package_set_is_gone_is_refused(rich: StoreLayout) -> None:
    before = rich.model("greeter")
    assert ask(rich, "prepare", model="greeter", again=True)["changed"]
    _, preparations = ids_in(before)
    shutil.rmtree(rich.packages)
    with pytest.raises(PackagesError, match=r"version 1 of 'greeter' .* holds no package set"):
        ask(rich, "prepare", model="greeter", again=True)
    assert ids_in(before)[1] == preparations


def test_what_takes_half_a_day_is_not_named(
    adders: StoreLayout, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("model_sync.refs.model_removal.PLACED_S", -60)
    with pytest.raises(OutOfTimeError):
        ask(adders, "prepare", model="adder@4")
    assert RUNTIME not in prepared_for(adders)[4]
    assert_only_what_is_named_is_there(adders)


def test_a_generation_that_appears_after_its_link_failed_finds_what_it_names(
    adders: StoreLayout, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        late = LateLink(patched)
        with pytest.raises(OSError, match="timed out"):
            ask(adders, "prepare", model="adder@4")
    late.appear()
    assert read_preparation(adders, "adder", refs(adders).versions[4], RUNTIME)


def test_what_a_writer_left_half_done_heals_though_nothing_is_to_be_prepared(
    adders: StoreLayout,
) -> None:
    ask(adders, "prepare")
    model = adders.model("adder")
    model.refs_json.unlink()
    os.link(model.generation(1), model.refs_json)
    assert ask(adders, "prepare")["changed"] is False
    assert model.refs_json.stat().st_ino == model.generation(refs(adders).generation).stat().st_ino


def test_each_call_gets_on_by_a_version_and_what_may_not_fit_waits_for_the_next(
    adders: StoreLayout,
) -> None:
    least_ms = preparation_ms(refs(adders).versions[2].size_bytes)

    def calling(resume: str | None, remaining_ms: float) -> dict[str, Any]:
        return ask(adders, "prepare", again=True, resume=resume, remaining_ms=lambda: remaining_ms)

    with pytest.raises(ToBeContinued) as paused:
        calling(None, least_ms - 1)
    assert paused.value.resume == "4", "what was made, and is not made again"
    assert {n for n, keys in prepared_for(adders).items() if RUNTIME in keys} == {4}
    first = refs(adders).versions[4].preparations[RUNTIME]
    found = calling(paused.value.resume, least_ms - 1)
    assert [(each["version"], each["created"]) for each in found["prepared"]] == [
        (4, True),
        (2, True),
    ]
    assert refs(adders).versions[4].preparations[RUNTIME] == first
    assert calling(None, least_ms)["changed"], "both fit"


def test_what_says_how_to_go_on_is_checked(adders: StoreLayout) -> None:
    with pytest.raises(RequestError, match="'x' is no version"):
        ask(adders, "prepare", resume="4,x")


def test_the_command_line_prints_what_was_tried(
    adders: StoreLayout, capsys: pytest.CaptureFixture[str]
) -> None:
    where = ["--store", str(adders.root)]
    assert main(["prepare", "adder", *where]) == 0
    out, err = capsys.readouterr()
    assert out.splitlines()[0] == f"adder version 4 is prepared for {RUNTIME}: plain"
    assert out.splitlines()[1] == "    balanced: no other variant is 10% better"
    assert out.splitlines()[2].startswith("    plain: load ")
    assert "preparing version 2: loading, and 0 golden cases" in err
    assert main(["prepare", "adder:stable", "--quiet", *where]) == 0
    out, err = capsys.readouterr()
    assert out.startswith(f"unchanged: adder version 2 is prepared for {RUNTIME}: plain\n")
    assert err == ""
    assert main(["prepare", "adder", "--runtime", OTHER, "--json", *where]) == 1
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "change"
    assert main(["prepare", "adder", "--again", "--json", "--reason", "busy", *where]) == 0
    assert json.loads(capsys.readouterr().out)["changed"] is True
    assert refs(adders).change.reason == "busy"
