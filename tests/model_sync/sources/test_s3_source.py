"""Objects are read as they were when they were first looked at, or not at all."""

from __future__ import annotations

import os
import tracemalloc
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config

from model_sync.errors import MissingError, SourceError
from model_sync.sources.s3 import PART_BYTES, S3Source, parse_s3_url

if TYPE_CHECKING:
    from tests.model_sync.sync_job.buckets import Bucket


def source_of(bucket: Bucket, prefix: str = "adder/") -> S3Source:
    return S3Source(bucket.s3, bucket.name, prefix)


def read(source: S3Source, path: str) -> bytes:
    blocks: list[bytes] = []
    source.copy(path, blocks.append)
    return b"".join(blocks)


@pytest.mark.parametrize(
    ("url", "parts"),
    [
        ("s3://models/adder/", ("models", "adder/")),
        ("s3://models/adder", ("models", "adder/")),
        ("s3://models/team/adder/", ("models", "team/adder/")),
    ],
)
def test_an_address_is_a_bucket_and_a_prefix(url: str, parts: tuple[str, str]) -> None:
    assert parse_s3_url(url) == parts


@pytest.mark.parametrize(
    "url",
    [
        "",
        "adder",
        "https://a/b",
        "s3://models",
        "s3://models/",
        "s3://M/a",
        "s3://models/\udcff",
        "s3://models/a\nb",
    ],
)
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(SourceError, match="is no S3 address: expected s3://BUCKET/PREFIX/"):
        parse_s3_url(url)


def test_files_are_sorted_without_hidden_ones_markers_and_neighbours(bucket: Bucket) -> None:
    for key in ("adder/b", "adder/a/x", "adder/.git/y", "adder/a/.z", "adder/c/", "adder2/n"):
        bucket.put(key, b"")
    assert source_of(bucket).files() == ("a/x", "b")
    assert source_of(bucket).files("a") == ("a/x",)


def test_of_an_object_that_was_overwritten_the_pinned_version_is_read(versioned: Bucket) -> None:
    versioned.put("adder/file", b"before")
    source = source_of(versioned)
    assert source.size_bytes("file") == 6
    versioned.put("adder/file", b"afterwards")
    assert read(source, "file") == b"before"


def test_without_versions_an_object_that_was_overwritten_is_refused(bucket: Bucket) -> None:
    bucket.put("adder/file", b"before")
    source = source_of(bucket)
    assert source.has("file")
    bucket.put("adder/file", b"after!")
    with pytest.raises(SourceError, match=f"s3://{bucket.name}/adder/file changed while"):
        read(source, "file")


def test_an_object_overwritten_between_its_parts_is_refused(bucket: Bucket) -> None:
    bucket.put("adder/file", bytes(PART_BYTES * 3))
    source, blocks = source_of(bucket), 0

    def write(_: bytes) -> None:
        nonlocal blocks
        if not blocks:
            bucket.put("adder/file", bytes(PART_BYTES * 3 - 1))
        blocks += 1

    with pytest.raises(SourceError, match=f"s3://{bucket.name}/adder/file changed while"):
        source.copy("file", write)


def test_a_large_object_arrives_whole_and_in_bounded_memory(bucket: Bucket) -> None:
    size = 16 * PART_BYTES + 1
    written = os.urandom(PART_BYTES) * 16 + b"!"
    bucket.put("adder/large", written)
    source, read_bytes = source_of(bucket), 0

    def write(block: bytes) -> None:
        nonlocal read_bytes
        assert written.startswith(block, read_bytes)
        read_bytes += len(block)

    tracemalloc.start()
    try:
        source.copy("large", write)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert read_bytes == size
    assert peak < 12 * PART_BYTES


def test_what_is_not_there_is_named(bucket: Bucket) -> None:
    assert not source_of(bucket).has("file")
    with pytest.raises(MissingError, match=rf"^s3://{bucket.name}/adder/file is missing$"):
        read(source_of(bucket), "file")


def test_a_bucket_that_is_not_there_is_named(s3: Any) -> None:
    with pytest.raises(MissingError, match=r"^s3://no-such-bucket/adder/ is missing$"):
        S3Source(s3, "no-such-bucket", "adder/").files()


def test_a_path_that_leads_out_of_the_prefix_is_refused(bucket: Bucket) -> None:
    bucket.put("secret", b"")
    with pytest.raises(SourceError, match="is refused"):
        read(source_of(bucket), "../secret")


def test_an_endpoint_that_nobody_serves_is_one_line() -> None:
    unserved = boto3.client(
        "s3",
        endpoint_url="http://127.0.0.1:1",
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",  # noqa: S106
        config=Config(retries={"total_max_attempts": 1}),
    )
    with pytest.raises(SourceError, match=r"^s3://models/adder/file cannot be read: .*127\.0") as e:
        S3Source(unserved, "models", "adder/").size_bytes("file")
    assert "\n" not in str(e.value)
