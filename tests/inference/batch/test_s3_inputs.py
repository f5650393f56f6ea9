from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from inference.batch.errors import ObjectGoneError, StorageError
from inference.batch.s3_events import S3Object
from inference.batch.s3_storage import RANGE_BYTES, S3Input
from tests.inference.batch.network import closed_port, cutting_network, throttling_s3
from tests.support.s3_server import client

if TYPE_CHECKING:
    from tests.inference.batch.buckets import Buckets

KEY = "magika/grüße an alle/1+1.txt"
LARGE = RANGE_BYTES * 2 + 1


def named(buckets: Buckets, **known: str) -> S3Object:
    return S3Object(buckets.inputs, KEY, **known)


def put(buckets: Buckets, body: bytes) -> dict[str, Any]:
    answer: dict[str, Any] = buckets.s3.put_object(Bucket=buckets.inputs, Key=KEY, Body=body)
    return answer


def test_an_object_is_read_in_ranges(buckets: Buckets) -> None:
    data = os.urandom(LARGE)
    put(buckets, data)
    source = S3Input(buckets.s3, named(buckets))
    blocks = list(source.blocks())
    assert [len(block) for block in blocks] == [RANGE_BYTES, RANGE_BYTES, 1]
    assert b"".join(blocks) == data
    source.confirm()


@pytest.mark.parametrize("size", [0, 1, RANGE_BYTES])
def test_an_object_of_any_size_is_read_whole(buckets: Buckets, size: int) -> None:
    data = os.urandom(size)
    put(buckets, data)
    source = S3Input(buckets.s3, named(buckets))
    assert source.size_bytes == size
    assert b"".join(source.blocks()) == data


def test_an_object_says_which_it_is(versioned: Buckets) -> None:
    answer = put(versioned, b"data")
    source = S3Input(versioned.s3, named(versioned))
    assert source.name == "grüße an alle/1+1.txt"
    assert source.describe() == {
        "bucket": versioned.inputs,
        "key": KEY,
        "size_bytes": 4,
        "etag": answer["ETag"].strip('"'),
        "version_id": answer["VersionId"],
    }


def test_without_versions_it_has_no_version_id(buckets: Buckets) -> None:
    put(buckets, b"data")
    assert "version_id" not in S3Input(buckets.s3, named(buckets)).describe()


def test_the_object_of_the_event_is_opened(versioned: Buckets) -> None:
    answer = put(versioned, b"data")
    event = named(versioned, version_id=answer["VersionId"], tag=answer["ETag"])
    assert b"".join(S3Input(versioned.s3, event).blocks()) == b"data"


def test_an_object_that_never_was_is_gone(buckets: Buckets) -> None:
    with pytest.raises(ObjectGoneError, match="deleted or replaced"):
        S3Input(buckets.s3, named(buckets))


def test_an_object_that_was_deleted_is_gone_although_its_version_is_kept(
    versioned: Buckets,
) -> None:
    answer = put(versioned, b"data")
    versioned.s3.delete_object(Bucket=versioned.inputs, Key=KEY)
    with pytest.raises(ObjectGoneError):
        S3Input(versioned.s3, named(versioned, version_id=answer["VersionId"]))


def test_an_object_that_was_replaced_is_gone_by_its_tag(buckets: Buckets) -> None:
    old = put(buckets, b"old")
    put(buckets, b"new")
    with pytest.raises(ObjectGoneError, match="replaced since its event"):
        S3Input(buckets.s3, named(buckets, tag=old["ETag"]))


def test_an_object_that_was_replaced_by_its_like_is_gone_by_its_version(
    versioned: Buckets,
) -> None:
    old = put(versioned, b"same")
    new = put(versioned, b"same")
    with pytest.raises(ObjectGoneError, match="replaced since its event"):
        S3Input(versioned.s3, named(versioned, version_id=old["VersionId"], tag=old["ETag"]))
    S3Input(versioned.s3, named(versioned, version_id=new["VersionId"], tag=new["ETag"]))


def test_two_objects_are_never_mixed(buckets: Buckets) -> None:
    put(buckets, b"1" * LARGE)
    source = S3Input(buckets.s3, named(buckets))
    blocks = source.blocks()
    assert next(blocks) == b"1" * RANGE_BYTES
    put(buckets, b"2" * LARGE)
    with pytest.raises(ObjectGoneError, match="deleted or replaced"):
        next(blocks)


def test_an_object_that_is_deleted_while_it_is_read_is_gone(buckets: Buckets) -> None:
    put(buckets, b"1" * LARGE)
    source = S3Input(buckets.s3, named(buckets))
    blocks = source.blocks()
    next(blocks)
    buckets.s3.delete_object(Bucket=buckets.inputs, Key=KEY)
    with pytest.raises(ObjectGoneError):
        next(blocks)
    with pytest.raises(ObjectGoneError):
        source.confirm()


def test_an_object_that_is_replaced_after_it_was_read_is_not_confirmed(buckets: Buckets) -> None:
    put(buckets, b"old")
    source = S3Input(buckets.s3, named(buckets))
    assert list(source.blocks()) == [b"old"]
    source.confirm()
    put(buckets, b"new")
    with pytest.raises(ObjectGoneError, match="replaced while it was read"):
        source.confirm()


def test_a_connection_that_breaks_within_a_range_is_taken_up_again(
    buckets: Buckets, s3_port: int
) -> None:
    data = os.urandom(LARGE)
    put(buckets, data)
    with cutting_network(s3_port, cuts=2, after=1 << 20) as network:
        source = S3Input(client(network.port), named(buckets))
        assert b"".join(source.blocks()) == data
        assert network.cuts_left <= 0


def test_a_connection_that_always_breaks_is_a_fault(buckets: Buckets, s3_port: int) -> None:
    put(buckets, os.urandom(LARGE))
    with cutting_network(s3_port, cuts=1000, after=1 << 20) as network:
        source = S3Input(client(network.port), named(buckets))
        with pytest.raises(StorageError, match="cannot be read") as fault:
            list(source.blocks())
        assert network.cuts_left == 1000 - 3
    assert "\n" not in str(fault.value)


def test_throttling_is_a_fault_that_may_pass(buckets: Buckets) -> None:
    with throttling_s3() as port, pytest.raises(StorageError, match=r"cannot be read.*503"):
        S3Input(client(port, attempts=1), named(buckets))


def test_an_s3_that_is_not_there_is_a_fault_that_may_pass(buckets: Buckets) -> None:
    with (
        closed_port() as port,
        pytest.raises(StorageError, match="cannot be read: Could not connect"),
    ):
        S3Input(client(port, attempts=1), named(buckets))


def test_a_client_without_the_right_to_read_is_a_fault_and_not_a_deletion(
    buckets: Buckets, s3_port: int
) -> None:
    put(buckets, b"data")
    with pytest.raises(StorageError, match=r"cannot be read.*403"):
        S3Input(client(s3_port, secret="another"), named(buckets))  # noqa: S106
