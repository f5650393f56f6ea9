"""The verbs that work on a store, asked of the sync function."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from onnx import TensorProto

from inference.loading.loader import RUNTIME
from model_store.layout import StoreLayout
from model_store.reading import read_upward
from model_sync.errors import RefusedError, StageError
from model_sync.progress import Silent
from model_sync.publishing.publish import publish
from model_sync.stage.client import StageStore
from model_sync.store_client import PublishOptions
from tests.model_sync.sync_job.lambda_client import LambdaClient, stage_of
from tests.support.models import write_adder, write_identity
from tests.support.other_runtime import OTHER, move_to_other_runtime

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.model_sync.sync_job.buckets import Bucket

    Call = Callable[[dict[str, Any]], Any]

pytestmark = pytest.mark.usefixtures("here")


@pytest.fixture
def two_versions(tmp_path: Path) -> StoreLayout:
    """A model `adder` with versions 1 and 2."""
    for constant in (1, 2):
        write_adder(tmp_path / "adder", constant)
        publish(tmp_path / "adder", tmp_path / "store", progress=Silent())
    return StoreLayout(tmp_path / "store")


@pytest.fixture
def remote(bucket: Bucket, two_versions: StoreLayout) -> StageStore:
    return StageStore(stage_of(LambdaClient(bucket, two_versions.root), bucket.name), Silent())


def test_a_label_moves_on_a_stage_in_its_callers_name(
    remote: StageStore, two_versions: StoreLayout
) -> None:
    found = remote.run("rollback", {"model": "adder", "label": "latest", "reason": "slow"})
    assert (found["version"], found["before"], found["changed"]) == (1, 2, True)
    refs = read_upward(two_versions.model("adder"))
    assert refs
    assert refs.labels == {"latest": 1}
    assert (refs.change.verb, refs.change.reason) == ("rollback", "slow")
    assert "@" in refs.change.who


def test_what_a_stage_shows_is_what_the_store_here_shows(remote: StageStore) -> None:
    found = remote.run("show", {"model": "adder@1"})
    assert (found["version"], found["version_state"]) == (1, "available")
    assert len(remote.run("history", {"model": "adder", "most": 10})["generations"]) == 2


def test_a_refusal_comes_back_with_its_code(remote: StageStore) -> None:
    with pytest.raises(RefusedError, match="has no version 9") as raised:
        remote.run("promote", {"model": "adder", "version": "9"})
    assert raised.value.code == "change"


def test_what_would_break_callers_is_published_on_a_stage_only_when_asked_for(
    remote: StageStore, tmp_path: Path
) -> None:
    write_identity(tmp_path / "adder", TensorProto.FLOAT, shape=[1])
    with pytest.raises(RefusedError, match="--allow-signature-change") as raised:
        remote.publish_folder(tmp_path / "adder", PublishOptions())
    assert raised.value.code == "signature"
    done = remote.publish_folder(tmp_path / "adder", PublishOptions(allow_signature_change=True))
    assert done["version"] == 3


def test_a_backup_of_a_stage_is_not_ours(remote: StageStore) -> None:
    with pytest.raises(StageError, match="AWS Backup"):
        remote.run("backup", {"folder": "/tmp/x"})  # noqa: S108 - nothing is written


def test_a_field_that_the_verb_does_not_know_is_refused(
    call: Call, two_versions: StoreLayout
) -> None:
    failed = call(
        {"verb": "promote", "request_id": "r", "model": "adder", "version": "1", "force": True}
    )
    assert failed["state"] == "failed"
    assert failed["error"]["message"] == "'force' is no field of this verb"


def test_a_backup_asked_of_the_function_is_an_unknown_verb(
    call: Call, two_versions: StoreLayout
) -> None:
    failed = call({"verb": "backup", "request_id": "r", "folder": "/tmp/x"})  # noqa: S108
    assert failed["error"]["message"].startswith("unknown verb 'backup'")


def test_preparing_goes_on_in_the_next_call_where_time_is_short(
    bucket: Bucket, two_versions: StoreLayout
) -> None:
    move_to_other_runtime(two_versions, "adder")
    calls = LambdaClient(bucket, two_versions.root)
    remote = StageStore(stage_of(calls, bucket.name), Silent())
    remote.run("promote", {"model": "adder", "version": "1", "label": "stable"})
    calls.asked.clear()
    calls.times = [lambda: 100_000] * 2
    found = remote.run("prepare", {"model": "adder", "runtime": RUNTIME, "again": False})
    assert [(each["version"], each["created"]) for each in found["prepared"]] == [
        (2, True),
        (1, True),
    ]
    assert [each["resume"] for each in calls.asked] == [None, "2"]
    refs = read_upward(two_versions.model("adder"))
    assert refs
    assert [set(entry.preparations) for entry in refs.versions.values()] == [{OTHER, RUNTIME}] * 2


def test_another_runtime_than_the_stages_is_refused(remote: StageStore) -> None:
    with pytest.raises(RefusedError, match=f"^this is {RUNTIME}, ") as refused:
        remote.run("prepare", {"model": "adder", "runtime": OTHER})
    assert refused.value.code == "change"


def test_what_does_not_go_on_is_not_resumed(call: Call, two_versions: StoreLayout) -> None:
    asked = {"verb": "history", "request_id": "r-1", "model": "adder", "most": 1}
    assert call(asked)["state"] == "done"
    answer = call({**asked, "resume": "2"})
    assert answer["error"] == {"code": "request", "message": "'resume' is no field of this verb"}
