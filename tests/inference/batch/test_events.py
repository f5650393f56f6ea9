from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from inference.batch.errors import EventError
from inference.batch.s3_events import S3Object, objects_in
from tests.support.events import event_file


def created() -> dict[str, Any]:
    return event_file("s3_object_created")


def put_of(s3: object) -> str:
    record = {"eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "s3": s3}
    return json.dumps({"Records": [record]})


def test_an_event_names_bucket_key_version_and_tag() -> None:
    assert objects_in(json.dumps(created())) == (
        S3Object(
            bucket="amzn-s3-demo-bucket",
            key="magika/grüße an alle/1+1.txt",
            version_id="096fKKXTRTtl3on89fVO.nfljtsv6qko",
            tag="b21b84d653bb07b05b1e6b33684dc11b-2",
        ),
    )


def test_the_message_of_a_queue_holds_it() -> None:
    body = event_file("sqs_s3_object_created")["Records"][0]["body"]
    assert objects_in(body) == objects_in(json.dumps(created()))


def test_a_bucket_without_versions_sends_none() -> None:
    event = created()
    del event["Records"][0]["s3"]["object"]["versionId"]
    assert objects_in(json.dumps(event))[0].version_id is None


def test_every_record_counts() -> None:
    event = created()
    event["Records"].append(copy.deepcopy(event["Records"][0]))
    event["Records"][1]["s3"]["object"]["key"] = "magika/second"
    assert [found.key for found in objects_in(json.dumps(event))] == [
        "magika/grüße an alle/1+1.txt",
        "magika/second",
    ]


def test_the_test_event_names_nothing() -> None:
    assert objects_in(event_file("sqs_s3_test_event")["Records"][0]["body"]) == ()
    assert objects_in(json.dumps(event_file("s3_test_event"))) == ()


@pytest.mark.parametrize(
    ("encoded", "key"),
    [
        ("magika/a+b", "magika/a b"),
        ("magika/a%2Bb", "magika/a+b"),
        ("magika/a%20b", "magika/a b"),
        ("magika/%E6%97%A5%E6%9C%AC.txt", "magika/日本.txt"),
        ("magika/100%25", "magika/100%"),
    ],
)
def test_keys_are_decoded_as_s3_encodes_them(encoded: str, key: str) -> None:
    event = created()
    event["Records"][0]["s3"]["object"]["key"] = encoded
    assert objects_in(json.dumps(event))[0].key == key


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("", "not JSON"),
        ("no", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[]", "expected a JSON object"),
        ("{}", "no 'Records'"),
        ('{"Records": []}', "no 'Records'"),
        ('{"Records": 1}', "no 'Records'"),
        ('{"Records": [1]}', "no 'eventSource'"),
        ('{"Records": [{"eventSource": "aws:s3"}]}', "no 'eventName'"),
        (
            '{"Records": [{"eventSource": "aws:sns", "eventName": "ObjectCreated:Put"}]}',
            "'aws:sns'",
        ),
        (put_of(1), "no 's3.object.key'"),
        (put_of({"object": {"key": "a/b"}}), "no 's3.bucket.name'"),
        (put_of({"object": {"key": "a/%FF"}}), "not URL-encoded UTF-8"),
    ],
)
def test_what_s3_does_not_send_is_refused(body: str, reason: str) -> None:
    with pytest.raises(EventError, match=reason):
        objects_in(body)


def test_a_deletion_is_refused() -> None:
    with pytest.raises(
        EventError, match=r"'ObjectRemoved:DeleteMarkerCreated'.*only ObjectCreated"
    ):
        objects_in(json.dumps(event_file("s3_object_removed")))


@pytest.mark.parametrize(
    ("event", "in_place", "other"),
    [
        ((None, None), ("v1", '"t1"'), False),
        (("v1", None), ("v1", '"t1"'), False),
        (("v1", None), ("v2", '"t1"'), True),
        (("v1", None), (None, '"t1"'), False),
        ((None, "t1"), ("v1", '"t1"'), False),
        ((None, '"t1"'), (None, '"t1"'), False),
        ((None, "t1"), (None, '"t2"'), True),
        (("v1", "t1"), ("v2", '"t1"'), True),
    ],
)
def test_an_object_is_another_one_by_version_or_by_tag(
    event: tuple[str | None, str | None], in_place: tuple[str | None, str], other: bool
) -> None:
    named = S3Object("bucket", "key", version_id=event[0], tag=event[1])
    assert named.differs_from(version_id=in_place[0], tag=in_place[1]) is other
