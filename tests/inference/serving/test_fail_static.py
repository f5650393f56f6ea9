"""A running service goes on with what is warm, whatever becomes of the store and what is in it."""

from __future__ import annotations

import errno
import json
import shutil
from typing import TYPE_CHECKING, Any, Final

import pytest

from inference.http.application import Application
from inference.serving.quarantine import LONGEST_PASSING_S, LONGEST_RETRY_S
from inference.settings import Settings
from tests.inference.background import wait_until_idle
from tests.inference.serving.stale_files import FailingOpens
from tests.support.calls import get, http_event, infer, send
from tests.support.damage import flip_a_byte
from tests.support.model_folders import write_full
from tests.support.models import adder_request
from tests.support.stores import commit, publish_folder, version_folder
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.inference.conftest import Clock
    from tests.support.calls import Answer

pytestmark = pytest.mark.store_of("two_versions")

MODEL: Final = "steady"
GOOD, BAD = 1, 2
READY: Final = "/v2/health/ready"

PIPELINE: Final = """
import json, os
import numpy as np
if os.environ.get("AT_LOAD") == "raise":
    raise RuntimeError("no licence")
if os.environ.get("AT_LOAD") == "memory":
    raise MemoryError

def decode(request):
    return {"x": np.array([json.loads(request.body)], np.float32)}

def encode(outputs, request):
    return {"y": (outputs["y"][0] + float(os.environ.get("OFF_BY_%s", "0"))).tolist()}
"""


@pytest.fixture(scope="module")
def two_versions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Versions 1 and 2, which add 1 and 2; `latest` names 1. Not to be changed."""
    store = tmp_path_factory.mktemp("published") / "store"
    for number in (GOOD, BAD):
        folder = store.parent / "sources" / MODEL
        shutil.rmtree(folder, ignore_errors=True)
        write_full(folder, float(number), pipeline=PIPELINE % number)
        publish_folder(store, folder)
    point(store, GOOD)
    return store


@pytest.fixture
def service(store: Path, clock: Clock) -> Application:
    """A service that is warm with version 1, and whose golden cases have run."""
    service = Application(Settings(store, ref_ttl_s=0.0))
    answers(service, GOOD)
    wait_until_idle(service._manager)
    return service


def point(store: Path, number: int) -> None:
    commit(store, MODEL, lambda refs: refs._replace(labels={"latest": number}))


def call(service: Application) -> Answer:
    return infer(service, adder_request([1.0, 2.0]), model=MODEL)


def answers(service: Application, number: int, calls: int = 10) -> None:
    """Every call is answered, by this version and rightly."""
    for _ in range(calls):
        answer = call(service)
        assert (answer.status, answer.version) == (200, number)
        assert answer.values == [1.0 + number, 2.0 + number]


def takes_up(service: Application, number: int) -> None:
    """Wait until calls are answered by a version; no call fails, and no trouble remains."""

    def is_answered() -> bool:
        answer = call(service)
        assert answer.status == 200
        return answer.version == number

    wait_until(is_answered)
    assert get(service, READY).json == {"live": True, "ready": True}


def troubles(service: Application) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = get(service, READY).json.get("troubles", [])
    return found


def load_failures(service: Application) -> int:
    found = get(service, "/v2/models/stats").json["model_stats"]
    return sum(each["load_failures"] for each in found if each["version"] == str(BAD))


def damage_manifest(bad: Path) -> None:
    manifest = bad / "manifest.json"
    flip_a_byte(manifest, at=manifest.read_bytes().index(b"files"))


def lose_manifest(bad: Path) -> None:
    (bad / "manifest.json").unlink()


def take_anothers_manifest(bad: Path) -> None:
    good = next(folder for folder in bad.parent.iterdir() if folder != bad)
    (bad / "manifest.json").unlink()
    shutil.copy(good / "manifest.json", bad / "manifest.json")


def damage_graph(bad: Path) -> None:
    flip_a_byte(bad / "source/model.onnx")


def cut_graph_short(bad: Path) -> None:
    graph = bad / "source/model.onnx"
    graph.write_bytes(graph.read_bytes()[:-1])


def lose_graph(bad: Path) -> None:
    (bad / "source/model.onnx").unlink()


def link_graph_elsewhere(bad: Path) -> None:
    graph = bad / "source/model.onnx"
    graph.rename(bad.parent / "elsewhere")
    graph.symlink_to(bad.parent / "elsewhere")


def damage_pipeline(bad: Path) -> None:
    flip_a_byte(bad / "pipeline/pipeline.py", at=-2)


def lose_all(bad: Path) -> None:
    shutil.rmtree(bad)


FILES: dict[str, tuple[Callable[[Path], None], str]] = {
    "manifest damaged": (damage_manifest, "manifest.json"),
    "manifest missing": (lose_manifest, "manifest.json is missing"),
    "manifest of another version": (take_anothers_manifest, "is not the manifest that refs name"),
    "graph damaged": (damage_graph, "source/model.onnx is damaged"),
    "graph cut short": (cut_graph_short, "source/model.onnx is damaged"),
    "graph missing": (lose_graph, "source/model.onnx cannot be read"),
    "graph linked elsewhere": (link_graph_elsewhere, "source/model.onnx cannot be read"),
    "pipeline damaged": (damage_pipeline, "pipeline.py is damaged"),
    "all missing": (lose_all, "is missing"),
}

HERE: dict[str, tuple[str, str, str]] = {
    "raises while it loads": ("AT_LOAD", "raise", "pipeline.py"),
    "has no memory to load": ("AT_LOAD", "memory", "pipeline.py"),
    "answers its golden case wrongly": ("OFF_BY_2", "5", "golden case 'one' is answered wrongly"),
}


def holds_out_against_a_bad_version(
    service: Application, store: Path, clock: Clock, reason: str
) -> None:
    """Publish a bad version 2: only callers who name it notice, and the damage is reported."""
    point(store, BAD)

    def is_noticed() -> bool:
        answers(service, GOOD, calls=1)
        return bool(troubles(service))

    wait_until(is_noticed)
    answers(service, GOOD)
    [trouble] = troubles(service)
    assert (trouble["model"], trouble["version"]) == (MODEL, BAD)
    assert reason in trouble["error"]
    assert str(store) not in trouble["error"]
    probed = service.probe()["environment"]["models"][MODEL]
    assert probed["quarantined"] == [{"version": BAD, "reason": trouble["error"]}]
    assert probed["answering"] == {"latest": GOOD}
    # A caller who names the bad version gets the reason why it is not available.
    needs_it = infer(service, adder_request([1.0, 2.0]), model=MODEL, version=BAD)
    assert (needs_it.status, needs_it.error) == (503, trouble["error"])
    # It is left alone until refs change.
    assert load_failures(service) == 1
    for _ in range(3):
        clock.advance(LONGEST_RETRY_S)
        answers(service, GOOD, calls=2)
    assert load_failures(service) == 1


@pytest.mark.parametrize(("damage", "reason"), FILES.values(), ids=FILES)
def test_a_version_whose_files_are_bad_is_quarantined_and_the_warm_one_serves_on(
    service: Application, store: Path, clock: Clock, damage: Callable[[Path], None], reason: str
) -> None:
    bad = version_folder(store, BAD, MODEL)
    shutil.copytree(bad, store.parent / "whole")
    damage(bad)
    holds_out_against_a_bad_version(service, store, clock, reason)
    shutil.rmtree(bad, ignore_errors=True)
    shutil.copytree(store.parent / "whole", bad)
    commit(store, MODEL, lambda refs: refs)
    takes_up(service, BAD)


@pytest.mark.parametrize(("variable", "value", "reason"), HERE.values(), ids=HERE)
def test_a_version_that_does_not_work_here_is_quarantined_and_the_warm_one_serves_on(
    service: Application,
    store: Path,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
    variable: str,
    value: str,
    reason: str,
) -> None:
    monkeypatch.setenv(variable, value)
    holds_out_against_a_bad_version(service, store, clock, reason)
    monkeypatch.delenv(variable)
    commit(store, MODEL, lambda refs: refs)
    takes_up(service, BAD)


def test_a_better_version_ends_the_trouble(service: Application, store: Path, clock: Clock) -> None:
    damage_graph(version_folder(store, BAD, MODEL))
    holds_out_against_a_bad_version(service, store, clock, "is damaged")
    point(store, GOOD)  # a rollback
    answers(service, GOOD)
    # Refs still have the bad version in service: this is reported until it is retired.
    assert [each["version"] for each in troubles(service)] == [BAD]


def test_refs_that_cannot_be_read_are_told_and_change_nothing(
    service: Application, store: Path
) -> None:
    refs_json = store / "models" / MODEL / "refs.json"
    whole = refs_json.read_bytes()
    refs_json.unlink()
    refs_json.write_bytes(whole[: len(whole) // 2])
    answers(service, GOOD)
    [trouble] = troubles(service)
    assert trouble["model"] == MODEL
    assert trouble["error"].startswith(f"models/{MODEL}/refs.json is")
    assert get(service, READY).status == 200
    refs_json.unlink()
    refs_json.write_bytes(whole)
    point(store, BAD)
    takes_up(service, BAD)


def test_a_mount_that_is_gone_is_told_and_changes_nothing(
    service: Application, store: Path
) -> None:
    away = store.rename(store.with_name("unmounted"))
    answers(service, GOOD)
    ready = get(service, READY)
    assert ready.status == 503
    assert "STORE.json is missing" in ready.json["error"]
    probed = service.probe()
    assert "STORE.json is missing" in probed["published"]["error"]
    assert "STORE.json is missing" in probed["environment"]["models"][MODEL]["refs_error"]
    away.rename(store)
    point(store, BAD)
    takes_up(service, BAD)


@pytest.fixture
def opens(monkeypatch: pytest.MonkeyPatch) -> FailingOpens:
    return FailingOpens(monkeypatch)


@pytest.mark.parametrize("name", ["manifest.json", "model.onnx", "pipeline.py"])
def test_a_stale_handle_of_a_versions_file_is_opened_again_once(
    service: Application, store: Path, opens: FailingOpens, name: str
) -> None:
    opens.fail(name, errno.ESTALE)
    point(store, BAD)
    takes_up(service, BAD)
    assert opens.hits == 1
    assert load_failures(service) == 0


@pytest.mark.parametrize("name", ["manifest.json", "model.onnx", "pipeline.py"])
@pytest.mark.parametrize("error", [errno.ESTALE, errno.EIO, errno.ETIMEDOUT])
def test_a_file_that_cannot_be_read_is_tried_again_without_new_refs(
    service: Application, store: Path, clock: Clock, opens: FailingOpens, name: str, error: int
) -> None:
    opens.fail(name, error, times=None)
    point(store, BAD)
    answers(service, GOOD, calls=1)
    wait_until(lambda: load_failures(service) == 1)
    assert opens.hits == (2 if error == errno.ESTALE else 1)
    answers(service, GOOD)
    assert "cannot be read" in troubles(service)[0]["error"]
    opens.heal()
    clock.advance(LONGEST_PASSING_S)
    takes_up(service, BAD)


def test_a_file_that_cannot_be_read_for_long_is_tried_more_and_more_seldom(
    service: Application, store: Path, clock: Clock, opens: FailingOpens
) -> None:
    opens.fail("model.onnx", errno.EIO, times=None)
    point(store, BAD)
    answers(service, GOOD, calls=1)
    wait_until(lambda: load_failures(service) == 1)
    for _ in range(300):  # 10 minutes
        clock.advance(2.0)
        answers(service, GOOD, calls=1)
        wait_until_idle(service._manager)
    assert 5 < opens.hits < 20


def test_a_pipelines_own_lack_of_a_file_is_its_contents_fault(
    service: Application, store: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AT_LOAD", "raise")
    point(store, BAD)
    answers(service, GOOD, calls=1)
    wait_until(lambda: load_failures(service) == 1)
    clock.advance(2 * LONGEST_PASSING_S)
    answers(service, GOOD)
    assert load_failures(service) == 1


def test_a_call_by_label_or_pipeline_that_needs_the_bad_version_names_the_reason(
    service: Application, store: Path
) -> None:
    damage_graph(version_folder(store, BAD, MODEL))
    commit(store, MODEL, lambda refs: refs._replace(labels={"latest": GOOD, "next": BAD}))
    body = json.dumps(adder_request([1.0, 2.0]))
    for path in (f"/v2/models/{MODEL}/labels/next/infer", f"/models/{MODEL}/labels/next/predict"):
        answer = send(service, http_event("POST", path, body=body))
        assert answer.status == 503
        assert answer.error.startswith("version 2 of 'steady' cannot be loaded: ")
        assert "model.onnx is damaged" in answer.error
    assert get(service, f"/v2/models/{MODEL}/labels/next/ready").status == 503
    answers(service, GOOD)
