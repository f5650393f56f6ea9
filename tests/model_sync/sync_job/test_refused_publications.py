"""Refusals of the sync function to protect callers, or for want of space: a line and a code."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.model_sync.sync_job.buckets import Bucket, write_model
from tests.model_sync.sync_job.invocations import refused, request, staged
from tests.model_sync.sync_job.sets import nothing_is_left, request_set, upload_wheels, write_two
from tests.support.file_systems import files_end_at, say_free
from tests.support.snapshots import snapshot

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Call = Callable[..., dict[str, Any]]


@pytest.mark.parametrize("as_uploads", [True, False], ids=["uploads", "a prefix"])
def test_what_would_break_callers_is_refused(
    call: Call, bucket: Bucket, tmp_path: Path, *, as_uploads: bool
) -> None:
    def source(folder: Path) -> str:
        return bucket.upload(folder)[0] if as_uploads else bucket.put_folder(folder, folder.name)

    assert call(request(source(write_model(tmp_path / "adder"))))["state"] == "done"
    before = snapshot(tmp_path / "store" / "models")
    other = source(write_model(tmp_path / "other", width=3))
    failed = call(request(other))
    refused(failed, "signature", "version 1, which 'latest' of 'adder' names, would be broken")
    assert snapshot(tmp_path / "store" / "models") == before
    assert staged(tmp_path) == []
    assert call(request(other, label="canary"))["version"] == 2


def test_uploads_that_do_not_fit_are_refused_before_they_are_copied(
    call: Call, bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, content = bucket.upload(write_model(tmp_path / "adder"))
    say_free(monkeypatch, content.size_bytes - 1)
    with bucket.reads() as reads:
        failed = call(request(key))
    refused(failed, "space", f"no room for s3://{bucket.name}/{key} in ")
    assert reads == [key]
    assert staged(tmp_path) == []
    say_free(monkeypatch, content.size_bytes)
    assert call(request(key))["state"] == "done"


def test_of_uploads_only_what_is_not_there_yet_needs_room(
    call: Call, bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, content = bucket.upload(write_model(tmp_path / "adder"))
    paused = call(request(key), lambda: 30_000)  # time to copy, and not to try
    assert paused["state"] == "continue"
    say_free(monkeypatch, 0)
    done = call(request(key, resume=paused["resume"]))
    assert (done["state"], done["digest"]) == ("done", str(content.digest))


def test_wheels_that_do_not_fit_are_refused_before_they_are_copied(
    call: Call, bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = upload_wheels(bucket, write_two(tmp_path / "wheels"))
    say_free(monkeypatch, 100)
    with bucket.reads() as reads:
        failed = call(request_set(key))
    refused(failed, "space", f"no room for the wheels of s3://{bucket.name}/{key} in ")
    assert reads == [key]
    assert nothing_is_left(tmp_path)


def test_where_the_room_ends_an_upload_is_refused_with_what_is_missing(
    call: Call, bucket: Bucket, tmp_path: Path
) -> None:
    key, _ = bucket.upload(write_model(tmp_path / "adder", width=50_000))
    with files_end_at(150_000):
        failed = call(request(key))
    refused(failed, "space", "no room left while writing source/")
    refused(failed, "space", "at least 50000 bytes are missing")
    assert staged(tmp_path) == []
