"""Contents go up once, by digest, and come down only as what they were."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from model_store.digests import Digest
from model_sync.errors import SourceError
from model_sync.progress import Silent
from model_sync.publishing.contents import stage_contents
from model_sync.sources.folder import FolderSource
from model_sync.sources.recipe import read_recipe
from model_sync.sources.uploaded import BLOBS, UploadedContents
from model_sync.stage.uploads import upload_contents
from tests.model_sync.sync_job.buckets import Bucket, write_model

if TYPE_CHECKING:
    from pathlib import Path

    from model_store.version import VersionContent


def stage(folder: Path, staged: Path) -> VersionContent:
    source = FolderSource(folder)
    staged.mkdir()
    return stage_contents(read_recipe(source, implied_name="adder"), source, staged, Silent())


@pytest.fixture
def content(tmp_path: Path) -> VersionContent:
    return stage(write_model(tmp_path / "adder"), tmp_path / "staged")


@pytest.fixture
def key(bucket: Bucket, content: VersionContent, tmp_path: Path) -> str:
    return upload_contents(bucket.s3, bucket.name, content, tmp_path / "staged", Silent())


def test_what_was_uploaded_is_what_was_staged(
    bucket: Bucket, content: VersionContent, key: str
) -> None:
    uploaded = UploadedContents(bucket.s3, bucket.name, key)
    assert uploaded.name == f"s3://{bucket.name}/{key}"
    assert uploaded.content == content
    for entry in content.files:
        blocks: list[bytes] = []
        uploaded.copy(entry.path, blocks.append)
        assert Digest.of_bytes(b"".join(blocks)) == entry.digest


def test_only_what_the_bucket_lacks_is_uploaded(
    bucket: Bucket, content: VersionContent, key: str, tmp_path: Path
) -> None:
    with bucket.puts() as puts:
        upload_contents(bucket.s3, bucket.name, content, tmp_path / "staged", Silent())
    assert puts == [key]
    other = stage(write_model(tmp_path / "adder", constant=2.0), tmp_path / "other")
    changed = {entry.digest.hex for entry in set(other.files) - set(content.files)}
    with bucket.puts() as puts:
        key = upload_contents(bucket.s3, bucket.name, other, tmp_path / "other", Silent())
    assert len(changed) == 2, "the constants and the right answer"
    assert set(puts[:-1]) == {BLOBS + digest for digest in changed}
    assert puts[-1] == key, "contents come last"


@pytest.mark.parametrize("size", ["the same", "another"])
def test_what_lies_where_a_blob_belongs_and_is_none_is_uploaded_again(
    bucket: Bucket, content: VersionContent, key: str, tmp_path: Path, size: str
) -> None:
    spoiled = content.files[0]
    blob = BLOBS + spoiled.digest.hex
    bucket.put(blob, bytes(spoiled.size_bytes if size == "the same" else 1))
    with bucket.puts() as puts:
        upload_contents(bucket.s3, bucket.name, content, tmp_path / "staged", Silent())
    assert puts == [blob, key]
    assert Digest.of_bytes(bucket.get(blob)) == spoiled.digest


def test_a_blob_that_was_put_with_another_sha256_is_uploaded_again(
    bucket: Bucket, content: VersionContent, key: str, tmp_path: Path
) -> None:
    spoiled = content.files[0]
    blob = BLOBS + spoiled.digest.hex
    bucket.s3.put_object(
        Bucket=bucket.name,
        Key=blob,
        Body=bytes(spoiled.size_bytes),
        ChecksumAlgorithm="SHA256",
    )
    with bucket.puts() as puts:
        upload_contents(bucket.s3, bucket.name, content, tmp_path / "staged", Silent())
    assert puts == [blob, key]


def test_a_large_blob_is_uploaded_once(bucket: Bucket, tmp_path: Path) -> None:
    content = stage(write_model(tmp_path / "adder", width=3 << 20), tmp_path / "staged")
    key = upload_contents(bucket.s3, bucket.name, content, tmp_path / "staged", Silent())
    with bucket.puts() as puts:
        upload_contents(bucket.s3, bucket.name, content, tmp_path / "staged", Silent())
    assert puts == [key]


def test_an_upload_that_the_server_refuses_is_one_line(
    bucket: Bucket, content: VersionContent, tmp_path: Path
) -> None:
    events = bucket.s3.meta.events

    def spoil(params: dict[str, Any], **_: Any) -> None:
        params["headers"]["x-amz-checksum-sha256"] = "AAAA"

    events.register("before-call.s3.PutObject", spoil)
    try:
        with pytest.raises(SourceError, match=rf"^s3://{bucket.name}/blobs/") as caught:
            upload_contents(bucket.s3, bucket.name, content, tmp_path / "staged", Silent())
    finally:
        events.unregister("before-call.s3.PutObject", spoil)
    assert "cannot be written" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("key", ["blobs/x", "contents.json", "contents/../secret.json"])
def test_a_key_that_names_no_contents_is_refused(bucket: Bucket, key: str) -> None:
    with pytest.raises(SourceError, match=r"is no upload: expected contents|is refused"):
        UploadedContents(bucket.s3, bucket.name, key)


def test_contents_whose_name_does_not_follow_from_them_are_refused(
    bucket: Bucket, key: str
) -> None:
    other = f"contents/{'0' * 64}.json"
    bucket.put(other, bucket.get(key))
    with pytest.raises(SourceError, match=rf"^s3://{bucket.name}/{other} is damaged"):
        UploadedContents(bucket.s3, bucket.name, other)


def test_contents_that_are_no_document_are_refused(bucket: Bucket, key: str) -> None:
    bucket.put(key, b"{")
    with pytest.raises(SourceError, match=rf"^s3://{bucket.name}/{key} is not a JSON document"):
        UploadedContents(bucket.s3, bucket.name, key)


def test_a_file_whose_bytes_are_gone_is_named(
    bucket: Bucket, content: VersionContent, key: str
) -> None:
    uploaded = UploadedContents(bucket.s3, bucket.name, key)
    gone = content.files[0]
    bucket.s3.delete_object(Bucket=bucket.name, Key=BLOBS + gone.digest.hex)
    with pytest.raises(SourceError, match=f"names '{gone.path}', whose bytes are gone"):
        uploaded.copy(gone.path, lambda _: None)
