from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from inference.batch.errors import StorageError
from inference.batch.s3_storage import PART_BYTES, S3Outputs
from tests.inference.batch.network import throttling_s3
from tests.support.s3_server import client

if TYPE_CHECKING:
    from tests.inference.batch.buckets import Buckets

KEY = "magika/1/grüße an alle.out"


@pytest.fixture
def outputs(buckets: Buckets) -> S3Outputs:
    return S3Outputs(buckets.s3, buckets.outputs)


@pytest.mark.parametrize("size", [0, 1, PART_BYTES - 1, PART_BYTES, PART_BYTES * 2 + 1])
def test_an_output_of_any_size_arrives_whole(
    buckets: Buckets, outputs: S3Outputs, size: int
) -> None:
    data = os.urandom(size)
    output = outputs.create(KEY, "text/x-test")
    for start in range(0, size, 1_000_000):
        output.write(data[start : start + 1_000_000])
    assert buckets.output_keys() == []
    output.commit()
    assert buckets.output(KEY) == data
    head = buckets.s3.head_object(Bucket=buckets.outputs, Key=KEY)
    assert head["ContentType"] == "text/x-test"
    assert buckets.unfinished_uploads() == []


def test_parts_are_sent_while_it_is_written(buckets: Buckets, outputs: S3Outputs) -> None:
    output = outputs.create(KEY, "text/plain")
    output.write(b"x" * (PART_BYTES - 1))
    assert buckets.unfinished_uploads() == []
    output.write(b"x")
    assert buckets.unfinished_uploads() == [KEY]
    assert len(output._buffer) == 0
    output.discard()


def test_an_output_that_is_discarded_leaves_nothing(buckets: Buckets, outputs: S3Outputs) -> None:
    small, large = outputs.create("small", "text/plain"), outputs.create(KEY, "text/plain")
    small.write(b"x")
    large.write(b"x" * PART_BYTES)
    for output in (small, large, large):
        output.discard()
    assert buckets.output_keys() == []
    assert buckets.unfinished_uploads() == []


def test_discarding_after_committing_does_nothing(buckets: Buckets, outputs: S3Outputs) -> None:
    data = os.urandom(PART_BYTES + 1)
    output = outputs.create(KEY, "text/plain")
    output.write(data)
    output.commit()
    calls: list[object] = []

    def note(**call: object) -> None:
        calls.append(call)

    buckets.s3.meta.events.register("before-call.s3", note)
    try:
        output.discard()
    finally:
        buckets.s3.meta.events.unregister("before-call.s3", note)
    assert calls == []
    assert buckets.output(KEY) == data


def test_an_output_replaces_the_one_before_it_at_once(buckets: Buckets, outputs: S3Outputs) -> None:
    for body in (b"old", b"new" * PART_BYTES):
        output = outputs.create(KEY, "text/plain")
        output.write(body)
        if body != b"old":
            assert buckets.output(KEY) == b"old"
        output.commit()
        assert buckets.output(KEY) == body


def test_removing_an_output_that_is_not_there_is_no_error(
    buckets: Buckets, outputs: S3Outputs
) -> None:
    output = outputs.create(KEY, "text/plain")
    output.commit()
    for _ in range(2):
        outputs.remove(KEY)
    assert buckets.output_keys() == []


def test_a_bucket_that_is_not_there_is_a_fault(buckets: Buckets) -> None:
    # The server would make the bucket of a small output; it does not for an upload in parts.
    with throttling_s3() as port:
        outputs = S3Outputs(client(port, attempts=1), buckets.outputs)
        small, large = outputs.create("small", "text/plain"), outputs.create(KEY, "text/plain")
        with pytest.raises(StorageError, match=r"cannot be written.*SlowDown"):
            small.commit()
        with pytest.raises(StorageError, match=r"cannot be written.*SlowDown"):
            large.write(b"x" * PART_BYTES)
        with pytest.raises(StorageError, match=r"cannot be written.*SlowDown"):
            outputs.remove(KEY)
        large.discard()


def test_an_upload_that_cannot_be_completed_is_a_fault_and_is_discarded(
    buckets: Buckets, outputs: S3Outputs
) -> None:
    output = outputs.create(KEY, "text/plain")
    output.write(b"x" * PART_BYTES)
    (upload,) = buckets.s3.list_multipart_uploads(Bucket=buckets.outputs)["Uploads"]
    buckets.s3.abort_multipart_upload(Bucket=buckets.outputs, Key=KEY, UploadId=upload["UploadId"])
    output.write(b"x")
    with pytest.raises(StorageError, match=r"cannot be written.*NoSuchUpload"):
        output.commit()
    output.discard()
    assert buckets.output_keys() == []
