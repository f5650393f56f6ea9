"""A warm service answers whatever becomes of its mount, and takes up what is new afterwards."""

from __future__ import annotations

import dataclasses
import shutil
from typing import TYPE_CHECKING

import pytest

from bench.efs_stand_in import FAST, EfsStandIn
from inference.http.application import Application
from inference.serving import quarantine, refs_watch
from inference.settings import Settings
from tests.faults.mounted_stores import MountedStore
from tests.support.calls import add, get
from tests.support.stores import STEP, point_latest, publish_adder
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def _short_deadlines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refs_watch, "CHECK_DEADLINE_S", 0.2)
    monkeypatch.setattr(refs_watch, "COLD_CHECK_DEADLINE_S", 5.0)


@pytest.fixture
def efs(folder: Path) -> Iterator[EfsStandIn]:
    """A mount that believes nothing: every check goes to it. The writer is another client."""
    options = dataclasses.replace(FAST, cache_s=0.0)
    with EfsStandIn(folder / "source", folder / "mount", options) as mounted:
        yield mounted
        if mounted.is_serving():
            mounted.heal()


@pytest.fixture(scope="module")
def two_versions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of two versions, of which `latest` names the first. Not to be changed."""
    store = tmp_path_factory.mktemp("published") / "store"
    for number in (1, 2):
        publish_adder(store, number * STEP)
    point_latest(store, 1)
    return store


@pytest.fixture
def mounted_store(efs: EfsStandIn, folder: Path, two_versions: Path) -> MountedStore:
    store = MountedStore(efs, folder)
    shutil.copytree(two_versions, store.beneath)
    return store


@pytest.fixture
def service(mounted_store: MountedStore) -> Application:
    """A service that is warm."""
    service = Application(Settings(mounted_store.path, ref_ttl_s=0.0))
    assert add(service, [1.0, 2.0]).version == 1
    return service


def answers(service: Application, version: int, calls: int = 20) -> None:
    """Every call is answered, by one version."""
    for number in range(calls):
        answer = add(service, [float(number), 0.0])
        assert (answer.status, answer.version) == (200, version)
        assert answer.values == [number + version * STEP, version * STEP]


def takes_up(service: Application, version: int) -> None:
    wait_until(lambda: add(service, [0.0, 0.0]).version == version)
    assert get(service, "/v2/health/ready").status == 200


@pytest.mark.parametrize("operation", ["*", "open", "read", "lookup"])
def test_a_hang_is_not_noticed_by_calls_and_new_versions_come_after_it(
    mounted_store: MountedStore, service: Application, operation: str
) -> None:
    point_latest(mounted_store.beneath, 2)
    hang = mounted_store.efs.hang(operation, "*" if operation == "*" else "*.json")
    answers(service, 1)
    assert hang.hits >= 1
    mounted_store.efs.heal()
    takes_up(service, 2)


def test_readiness_says_that_the_store_hangs(
    mounted_store: MountedStore, service: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refs_watch, "COLD_CHECK_DEADLINE_S", 0.2)
    mounted_store.efs.hang()
    answer = get(service, "/v2/health/ready")
    assert answer.status == 503
    assert "did not answer" in answer.json["error"]
    assert get(service, "/v2/health/live").status == 200
    answers(service, 1)
    mounted_store.efs.heal()
    monkeypatch.setattr(refs_watch, "COLD_CHECK_DEADLINE_S", 5.0)
    wait_until(lambda: get(service, "/v2/health/ready").status == 200)


def test_a_mount_that_is_gone_is_not_noticed_by_calls_and_is_taken_up_when_it_is_back(
    mounted_store: MountedStore, service: Application
) -> None:
    mounted_store.efs.kill()
    answers(service, 1)
    answer = get(service, "/v2/health/ready")
    assert answer.status == 503
    assert "STORE.json cannot be read" in answer.json["error"]
    point_latest(mounted_store.beneath, 2)
    answers(service, 1)
    mounted_store.efs.restart()
    takes_up(service, 2)


def test_a_mountpoint_without_its_mount_is_no_empty_store(
    mounted_store: MountedStore, service: Application
) -> None:
    mounted_store.efs.stop()
    answers(service, 1)
    answer = get(service, "/v2/health/ready")
    assert answer.status == 503
    assert "STORE.json is missing" in answer.json["error"]
    assert get(service, "/v2/models/adder").status == 200
    mounted_store.efs.start()
    point_latest(mounted_store.beneath, 2)
    takes_up(service, 2)


@pytest.mark.parametrize("error", ["EIO", "ESTALE", "ENOTCONN"])
@pytest.mark.parametrize("operation", ["open", "read"])
def test_a_check_that_fails_changes_nothing_and_the_next_is_made(
    mounted_store: MountedStore, service: Application, operation: str, error: str
) -> None:
    point_latest(mounted_store.beneath, 2)
    fault = mounted_store.efs.fail(operation, error, "*/models/*", times=None)
    answers(service, 1, calls=3)
    assert fault.hits >= 1
    mounted_store.efs.heal()
    takes_up(service, 2)


def test_refs_that_are_stale_once_are_opened_again_within_the_check(
    mounted_store: MountedStore, service: Application
) -> None:
    point_latest(mounted_store.beneath, 2)
    fault = mounted_store.efs.fail("open", "ESTALE", "*/refs.json")
    add(service, [0.0, 0.0])
    assert fault.hits == 1
    wait_until(lambda: add(service, [0.0, 0.0]).version == 2)


@pytest.mark.parametrize("operation", ["open", "read"])
@pytest.mark.parametrize("name", ["manifest.json", "model.onnx"])
def test_a_versions_file_that_is_stale_once_is_opened_again_within_the_load(
    mounted_store: MountedStore, service: Application, operation: str, name: str
) -> None:
    point_latest(mounted_store.beneath, 2)
    fault = mounted_store.efs.fail(operation, "ESTALE", f"*/versions/*/{name}")
    takes_up(service, 2)
    assert fault.hits == 1
    counted = get(service, "/v2/models/stats").json["model_stats"]
    assert [each["load_failures"] for each in counted] == [0, 0]


@pytest.mark.parametrize("operation", ["open", "read"])
def test_a_version_that_cannot_be_read_is_tried_again_and_the_old_one_answers(
    mounted_store: MountedStore,
    service: Application,
    operation: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(quarantine, "RETRY_PASSING_S", 0.05)
    monkeypatch.setattr(quarantine, "RETRY_BROKEN_S", 0.05)
    point_latest(mounted_store.beneath, 2)
    fault = mounted_store.efs.fail(operation, "EIO", "*/versions/*", times=None)
    wait_until(lambda: add(service, [0.0, 0.0]).version == 1 and fault.hits)
    answers(service, 1)
    mounted_store.efs.heal()
    takes_up(service, 2)


def test_a_cold_service_says_what_it_cannot_reach_and_starts_when_it_can(
    mounted_store: MountedStore,
) -> None:
    mounted_store.efs.kill()
    service = Application(Settings(mounted_store.path, ref_ttl_s=0.0))
    answer = add(service, [0.0, 0.0])
    assert answer.status == 503
    assert "STORE.json cannot be read" in answer.error
    mounted_store.efs.restart()
    answers(service, 1)
