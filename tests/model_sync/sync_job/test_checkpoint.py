"""Copying that takes several invocations: each goes on where the one before it got to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pytest

from model_sync.progress import Silent
from model_sync.publishing.publish import publish
from model_sync.sources.uploaded import BLOBS
from tests.model_sync.sync_job.buckets import Bucket, write_model
from tests.model_sync.sync_job.invocations import request, staged, time_for
from tests.support.models import write_external_adder

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Call = Callable[..., dict[str, Any]]

JUST_BEFORE_THE_TRIAL: Final = 600_000
LITTLE: Final = 80_000


def write_late_weights(folder: Path) -> Path:
    """A small graph, then constants that arrive in four blocks."""
    write_external_adder(folder, np.arange(1 << 18), "weights.bin")
    return folder


def test_each_invocation_copies_what_the_one_before_it_had_no_time_for(
    call: Call, bucket: Bucket, tmp_path: Path
) -> None:
    folder = write_model(tmp_path / "adder")
    local = publish(folder, tmp_path / "local", progress=Silent())
    key, content = bucket.upload(folder)
    blobs = [BLOBS + entry.digest.hex for entry in content.files]
    event = request(key)
    for number in range(len(blobs)):
        with bucket.reads() as reads:
            answer = call(event, time_for(1))
        assert reads == [key, *blobs[number : number + 2]], "nothing that had arrived"
        assert answer == {"state": "continue", "resume": staged(tmp_path)[0]}
        event = request(key, resume=answer["resume"])
    with bucket.reads() as reads:
        done = call(event, lambda: LITTLE)
    assert reads == [key], "all had arrived: however little time there is, it is tried"
    assert (done["state"], done["digest"], done["version"]) == ("done", local.digest, 1)
    assert staged(tmp_path) == []
    (version,) = (tmp_path / "store" / "models" / "adder" / "versions").iterdir()
    found = {path.relative_to(version).as_posix() for path in version.rglob("*") if path.is_file()}
    assert found == {"manifest.json", *(entry.path for entry in content.files)}


def test_a_file_that_had_arrived_in_part_is_copied_anew(
    call: Call, bucket: Bucket, tmp_path: Path
) -> None:
    key, content = bucket.upload(write_late_weights(tmp_path / "adder"))
    paused = call(request(key), time_for(3))
    assert paused["state"] == "continue"
    (part,) = (tmp_path / "store" / "staging").rglob("weights.bin")
    assert 0 < part.stat().st_size < content.file("source/weights.bin").size_bytes
    done = call(request(key, resume=paused["resume"]))
    assert (done["state"], done["digest"]) == ("done", str(content.digest))
    assert staged(tmp_path) == []


def test_the_trial_is_left_to_an_invocation_of_its_own_where_it_may_take_longer(
    call: Call, bucket: Bucket, tmp_path: Path
) -> None:
    key, _ = bucket.upload(write_model(tmp_path / "adder"))
    paused = call(request(key), lambda: JUST_BEFORE_THE_TRIAL)
    assert paused["state"] == "continue"
    assert not (tmp_path / "store" / "models" / "adder" / "versions").exists()
    with bucket.reads() as reads:
        done = call(request(key, resume=paused["resume"]), lambda: JUST_BEFORE_THE_TRIAL)
    assert (done["state"], reads) == ("done", [key])


def test_a_file_that_alone_takes_too_long_fails_and_leaves_nothing(
    call: Call, bucket: Bucket, tmp_path: Path
) -> None:
    key, content = bucket.upload(write_late_weights(tmp_path / "adder"))
    paused = call(request(key), time_for(3))
    failed = call(request(key, resume=paused["resume"]), time_for(2))
    size = content.file("source/weights.bin").size_bytes
    assert failed == {
        "state": "failed",
        "error": {
            "code": "time",
            "message": f"'source/weights.bin' ({size} bytes) takes longer to copy than one "
            "invocation lasts: raise the sync function's timeout",
        },
    }
    assert staged(tmp_path) == []
    assert call({"verb": "list"})["models"] == []


@pytest.mark.parametrize("published", ["before", "meanwhile"])
def test_what_was_published_meanwhile_needs_no_more_copying(
    call: Call, bucket: Bucket, tmp_path: Path, published: str
) -> None:
    key, _ = bucket.upload(write_model(tmp_path / "adder"))
    if published == "before":
        call(request(key))
        paused: dict[str, Any] = {}
    else:
        paused = call(request(key), time_for(1))
        call(request(key))
    with bucket.reads() as reads:
        done = call(request(key, resume=paused.get("resume")), time_for(0))
    assert (done["state"], done["created"], reads) == ("done", False, [key])
    assert staged(tmp_path) == []
