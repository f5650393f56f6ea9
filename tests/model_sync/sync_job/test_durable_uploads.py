"""An upload is durable in the store before it appears there, also in several invocations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.model_sync.sync_job.buckets import Bucket, write_model
from tests.model_sync.sync_job.invocations import request, time_for
from tests.model_sync.sync_job.sets import request_set, upload_wheels, write_two
from tests.support.durability import Appearances

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest

    Call = Callable[..., dict[str, Any]]


def test_an_uploaded_version_is_durable_before_it_appears(
    call: Call, bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, _ = bucket.upload(write_model(tmp_path / "adder"))
    appearances = Appearances(monkeypatch)
    answer = call(request(key), time_for(1))
    [paused] = (tmp_path / "store" / "staging").iterdir()
    # What the next invocation relies on; of a file that time was up for, it relies on nothing.
    [partial] = appearances.lost(paused)
    assert not paused.joinpath("copied.json").read_text().count(partial.rpartition("version/")[2])
    while answer["state"] == "continue":
        answer = call(request(key, resume=answer["resume"]), time_for(1))
    assert answer["version"] == 1
    assert "refs.json" in appearances.names
    assert appearances.lacking == []
    assert appearances.lost(tmp_path / "store") == []


def test_an_uploaded_set_is_durable_before_it_appears(
    call: Call, bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = upload_wheels(bucket, write_two(tmp_path / "wheels"))
    appearances = Appearances(monkeypatch)
    done = call(request_set(key))
    assert done["digest"].removeprefix("sha256:") in appearances.names
    assert appearances.lacking == []
    assert appearances.lost(tmp_path / "store") == []
