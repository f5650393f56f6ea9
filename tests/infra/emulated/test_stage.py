"""The dev stage, real layers and all, on an emulated cloud: what each of its parts does there."""

from __future__ import annotations

import json
import sys
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import boto3
import pytest
from botocore.config import Config

from infra.bundling.function_code import REPOSITORY
from infra.emulated.run import EmulatedStage, emulated_stage
from infra.emulated.signing import signed
from model_sync.progress import Silent
from model_sync.publishing.publish import publish
from tests.support.models import write_adder
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="linux only: so is the emulated cloud"),
]

MAGIKA: Final = REPOSITORY / "models" / "magika"
PNG: Final = (MAGIKA / "golden" / "png" / "request.png").read_bytes()
DEADLINE_S: Final = 60


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmulatedStage]:
    """The dev stage, with Magika in its store."""
    store = tmp_path_factory.mktemp("mount") / "coldpress"
    publish(MAGIKA, store, progress=Silent())
    with emulated_stage("dev", store) as running:
        yield running


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes


def http(
    stage: EmulatedStage,
    path: str,
    body: bytes | None = None,
    caller: Mapping[str, str] | None = None,
) -> Answer:
    """Call the HTTP API, signed with the variables of `caller`; unsigned if they are empty."""
    url, method = f"{stage.api_url}{path}", "GET" if body is None else "POST"
    headers = {"Content-Type": "application/octet-stream"}
    if caller is None or caller:
        environ = {**stage.environ, **(caller or {})}
        headers = signed(url, environ, method=method, body=body or b"", headers=headers)
    request = urllib.request.Request(url, body, headers, method=method)  # noqa: S310 - http
    try:
        with urllib.request.urlopen(request, timeout=DEADLINE_S) as response:  # noqa: S310
            return Answer(response.status, dict(response.headers), response.read())
    except urllib.error.HTTPError as error:
        with error:
            return Answer(error.code, dict(error.headers), error.read())


def client(stage: EmulatedStage, service: str) -> Any:
    """boto3's client, from the stage's variables alone."""
    return boto3.client(
        service,
        endpoint_url=stage.environ["AWS_ENDPOINT_URL"],
        region_name=stage.environ["AWS_REGION"],
        aws_access_key_id=stage.environ["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=stage.environ["AWS_SECRET_ACCESS_KEY"],
        config=Config(read_timeout=DEADLINE_S, retries={"total_max_attempts": 1}),
    )


def invoke(stage: EmulatedStage, function: str, event: dict[str, Any]) -> Any:
    name = stage.outputs[f"{function}Function"]
    answer = client(stage, "lambda").invoke(FunctionName=name, Payload=json.dumps(event))
    payload = json.load(answer["Payload"])
    assert "FunctionError" not in answer, payload
    return payload


def test_the_predict_function_says_what_it_is_and_what_it_sees(stage: EmulatedStage) -> None:
    said = invoke(stage, "Predict", {"coldpress": "probe"})
    assert said["settings"]["store_path"] == str(stage.store)
    assert said["onnxruntime"]
    assert "magika" in json.dumps(said["published"])


def test_the_sync_function_lists_what_is_published(stage: EmulatedStage) -> None:
    said = invoke(stage, "Sync", {"verb": "list"})
    assert said["state"] == "done"
    assert [model["name"] for model in said["models"]] == ["magika"]


def test_a_caller_is_known_by_the_signature_and_needs_to_be_allowed(stage: EmulatedStage) -> None:
    iam = client(stage, "iam")
    iam.create_user(UserName="caller")
    key = iam.create_access_key(UserName="caller")["AccessKey"]
    caller = {
        "AWS_ACCESS_KEY_ID": key["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"],
    }
    assert http(stage, "/v2/health/ready", caller={}).status == 403
    assert http(stage, "/v2/health/ready", caller=caller).status == 403
    statement = {"Effect": "Allow", "Action": "execute-api:Invoke", "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_user_policy(UserName="caller", PolicyName="calls", PolicyDocument=policy)
    assert http(stage, "/v2/health/ready", caller=caller).status == 200
    wrong = {**caller, "AWS_SECRET_ACCESS_KEY": "wrong"}
    assert http(stage, "/v2/health/ready", caller=wrong).status == 403


def test_http_calls_reach_the_function_with_their_path_and_bytes(stage: EmulatedStage) -> None:
    assert http(stage, "/v2/health/ready").status == 200
    named = http(stage, "/v2/models/magika")
    assert json.loads(named.body)["versions"] == ["1"]
    answer = http(stage, "/predict", PNG)
    assert answer.status == 200
    assert json.loads(answer.body)["label"] == "png"
    assert answer.headers["Coldpress-Version"] == "1"
    assert json.loads(http(stage, "/predict", bytes(range(256)) * 64).body)["group"] == "unknown"
    assert http(stage, "/nothing").status == 404


def test_calls_at_once_are_answered_by_environments_of_their_own(stage: EmulatedStage) -> None:
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: http(stage, "/predict", PNG), range(4)))
    assert [json.loads(answer.body)["label"] for answer in answers] == ["png"] * 4


def test_an_object_in_the_input_bucket_becomes_outputs_in_the_output_bucket(
    stage: EmulatedStage,
) -> None:
    s3, bucket = client(stage, "s3"), stage.outputs["BatchOutputBucket"]
    s3.put_object(Bucket=stage.outputs["BatchInputBucket"], Key="magika/a b+c.png", Body=PNG)

    def written() -> bool:
        keys = s3.list_objects_v2(Bucket=bucket).get("Contents", [])
        return "magika/1/a b+c.png.summary.json" in [each["Key"] for each in keys]

    wait_until(written, "no outputs", deadline_s=DEADLINE_S)
    summary = s3.get_object(Bucket=bucket, Key="magika/1/a b+c.png.summary.json")["Body"].read()
    said = json.loads(summary)
    assert said["records"] == {"answered": 1, "failed": 0}
    output = s3.get_object(Bucket=bucket, Key=said["outputs"]["answers"])["Body"].read()
    assert json.loads(output)["label"] == "png"


def test_an_object_that_cannot_be_answered_ends_among_the_dead_letters(
    stage: EmulatedStage,
) -> None:
    """It is tried three times; the hour and a half between two of them is taken out."""
    s3, sqs = client(stage, "s3"), client(stage, "sqs")
    queues: list[str] = sqs.list_queues()["QueueUrls"]
    [dead_letters] = [url for url in queues if "-BatchQueueDeadLetters" in url]
    [queue] = [url for url in queues if "-BatchQueue" in url and url != dead_letters]
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"VisibilityTimeout": "0"})
    s3.put_object(Bucket=stage.outputs["BatchInputBucket"], Key="nobody/x.png", Body=PNG)
    [message] = wait_until(
        lambda: sqs.receive_message(QueueUrl=dead_letters).get("Messages"),
        "no dead letter",
        deadline_s=DEADLINE_S,
    )
    [record] = json.loads(message["Body"])["Records"]
    assert record["s3"]["object"]["key"] == "nobody/x.png"


def test_a_model_that_arrives_in_its_bucket_is_published_and_answers(
    stage: EmulatedStage, tmp_path: Path
) -> None:
    """Its trial runs in a child of the function, which must find the layers too."""
    s3, bucket = client(stage, "s3"), stage.outputs["ModelsBucket"]
    model = write_adder(tmp_path, 5.0).read_bytes()
    s3.put_object(Bucket=bucket, Key="team/adder/model.onnx", Body=model)
    recipe = b'name = "adder"\n[model]\nfile = "model.onnx"\n'
    s3.put_object(Bucket=bucket, Key="team/adder/model.toml", Body=recipe)
    wait_until(
        lambda: http(stage, "/v2/models/adder").status == 200,
        "it is not published",
        deadline_s=DEADLINE_S,
    )
    tensor = {"name": "x", "shape": [1, 2], "datatype": "FP32", "data": [1, 2]}
    answer = http(stage, "/v2/models/adder/infer", json.dumps({"inputs": [tensor]}).encode())
    assert json.loads(answer.body)["outputs"][0]["data"] == [6.0, 7.0]


def test_a_function_may_do_what_its_role_allows_and_nothing_else(stage: EmulatedStage) -> None:
    """The sync function reads the models' bucket, and no other: not even of this stage."""
    s3, bucket = client(stage, "s3"), stage.outputs["BatchInputBucket"]
    s3.put_object(Bucket=bucket, Key="elsewhere/model.toml", Body=b"")
    asked = {"verb": "publish", "request_id": "1", "model": "x"}
    said = invoke(stage, "Sync", {**asked, "source": f"s3://{bucket}/elsewhere/"})
    assert said["state"] == "failed"
    assert "403" in said["error"]["message"]


def test_the_functions_lines_are_in_their_log_groups(stage: EmulatedStage) -> None:
    invoke(stage, "Predict", {"coldpress": "probe"})
    logs = client(stage, "logs")
    groups = [each["logGroupName"] for each in logs.describe_log_groups()["logGroups"]]
    [group] = [name for name in groups if "FunctionsPredictLog" in name]
    events = logs.filter_log_events(logGroupName=group)["events"]
    assert any("REPORT RequestId" in event["message"] for event in events)
