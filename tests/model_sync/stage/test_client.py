"""Publishing to a stage: what is uploaded, what is asked, and what comes of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from model_store.layout import StoreLayout
from model_store.reading import read_upward
from model_sync.errors import RefusedError, SourceError, TrialError
from model_sync.identity import publisher
from model_sync.progress import Silent
from model_sync.publishing.publish import publish
from model_sync.stage.client import StageStore
from model_sync.store_client import PublishOptions
from tests.model_sync.sync_job.buckets import Bucket, write_model
from tests.model_sync.sync_job.invocations import LONG, staged, time_for
from tests.model_sync.sync_job.lambda_client import LambdaClient, stage_of

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def calls(bucket: Bucket, tmp_path: Path) -> LambdaClient:
    """The stage's functions, over `bucket` and `tmp_path / "store"`."""
    return LambdaClient(bucket, tmp_path / "store")


@pytest.fixture
def remote(here: None, calls: LambdaClient, bucket: Bucket) -> StageStore:
    """The stage, to be published to."""
    return StageStore(stage_of(calls, bucket.name), Silent())


def test_a_folder_becomes_the_version_that_it_is_locally(
    remote: StageStore, tmp_path: Path
) -> None:
    folder = write_model(tmp_path / "adder")
    local = publish(folder, tmp_path / "local", progress=Silent())
    done = remote.publish_folder(folder, PublishOptions(reason="because"))
    assert (done["digest"], done["created"], done["version"]) == (local.digest, True, 1)
    assert staged(tmp_path) == []


def test_the_same_folder_again_is_unchanged_and_uploads_nothing(
    here: None, versioned: Bucket, tmp_path: Path
) -> None:
    remote = StageStore(
        stage_of(LambdaClient(versioned, tmp_path / "store"), versioned.name), Silent()
    )
    folder = write_model(tmp_path / "adder")
    done = remote.publish_folder(folder, PublishOptions())
    again = remote.publish_folder(folder, PublishOptions())
    assert again == {**done, "created": False, "changed": False}
    listed = versioned.s3.list_object_versions(Bucket=versioned.name, Prefix="blobs/")
    put = [each["Key"] for each in listed["Versions"]]
    assert put == sorted(set(put)), "each once"
    assert len(put) == 4


def test_the_history_says_who_asked_and_why(
    remote: StageStore, calls: LambdaClient, tmp_path: Path
) -> None:
    remote.publish_folder(write_model(tmp_path / "adder"), PublishOptions("sum", reason="because"))
    refs = read_upward(StoreLayout(tmp_path / "store").model("sum"))
    assert refs
    assert (refs.change.who, refs.change.reason) == (publisher(), "because")
    assert calls.asked[-1]["who"] == publisher()


def test_it_goes_on_until_the_function_is_done(
    remote: StageStore, calls: LambdaClient, tmp_path: Path
) -> None:
    calls.times = [time_for(1), time_for(2), lambda: LONG]
    done = remote.publish_folder(write_model(tmp_path / "adder"), PublishOptions())
    assert (done["version"], len(calls.asked)) == (1, 3)
    first, second, third = calls.asked
    assert first["resume"] is None
    assert second["resume"]
    assert second == {**first, "resume": second["resume"]}, "the request is the same"
    assert third == {**first, "resume": third["resume"]}
    assert staged(tmp_path) == []


def test_a_model_that_answers_wrongly_is_refused_before_anything_is_uploaded(
    remote: StageStore, calls: LambdaClient, bucket: Bucket, tmp_path: Path
) -> None:
    folder = write_model(tmp_path / "adder")
    (folder / "golden" / "zeros" / "expected.json").write_text('{"outputs": []}')
    with pytest.raises(TrialError, match="golden case 'zeros' is answered wrongly"):
        remote.publish_folder(folder, PublishOptions())
    assert bucket.keys() == []
    assert calls.asked == []


def test_a_prefix_of_the_stages_bucket_is_published(
    remote: StageStore, bucket: Bucket, tmp_path: Path
) -> None:
    folder = write_model(tmp_path / "adder")
    local = publish(folder, tmp_path / "local", progress=Silent())
    url = bucket.put_folder(folder, "team/adder")
    done = remote.publish_url(url, PublishOptions())
    assert (done["model"], done["digest"]) == ("adder", local.digest)
    assert remote.publish_url(url, PublishOptions("sum"))["model"] == "sum"
    assert [model["name"] for model in remote.list_models()["models"]] == ["adder", "sum"]


def test_another_bucket_is_refused_in_one_line(
    remote: StageStore, calls: LambdaClient, bucket: Bucket
) -> None:
    with pytest.raises(SourceError) as caught:
        remote.publish_url("s3://elsewhere/adder/", PublishOptions())
    assert str(caught.value) == (
        "s3://elsewhere/adder/: the functions of stage 'dev' read "
        f"s3://{bucket.name}/ only: copy the model there, or publish it from a folder"
    )
    assert calls.asked == []


def test_what_the_function_refuses_is_told_with_its_code(
    remote: StageStore, bucket: Bucket
) -> None:
    with pytest.raises(RefusedError) as caught:
        remote.publish_url(f"s3://{bucket.name}/nothing/", PublishOptions())
    assert caught.value.code == "recipe"
    assert str(caught.value).startswith(f"s3://{bucket.name}/nothing holds no .onnx file")
    with pytest.raises(RefusedError) as caught:
        remote.publish_url(f"s3://{bucket.name}/nothing/", PublishOptions("No Name"))
    assert caught.value.code == "request"
