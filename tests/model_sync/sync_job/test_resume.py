"""An invocation goes on in a staging folder only if these very contents wait there."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import pytest

from model_store.names import new_id
from model_sync.store_io.create_store import open_store
from model_sync.store_io.staging import Staging
from tests.model_sync.sync_job.buckets import Bucket, write_model
from tests.model_sync.sync_job.invocations import refused, request, staged, time_for
from tests.support.snapshots import snapshot

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Call = Callable[..., dict[str, Any]]

COPIED: Final = "copied.json"


@pytest.fixture
def key(bucket: Bucket, tmp_path: Path) -> str:
    """Uploaded contents."""
    return bucket.upload(write_model(tmp_path / "adder"))[0]


@pytest.fixture
def paused(call: Call, key: str) -> str:
    """The staging folder in which half of them wait."""
    answer = call(request(key), time_for(2))
    assert answer["state"] == "continue"
    return str(answer["resume"])


def test_a_folder_that_is_gone_is_refused(call: Call, key: str, tmp_path: Path) -> None:
    refused(call(request(key, resume=new_id())), "request", "is gone: publish again")
    assert staged(tmp_path) == []


@pytest.mark.parametrize("resume", ["x", "../models", "/etc", "20260101T000000Z-0123456789ab/.."])
def test_what_is_no_id_is_refused_and_never_a_path(
    call: Call, key: str, tmp_path: Path, resume: str
) -> None:
    open_store(tmp_path / "store")
    before = snapshot(tmp_path / "store")
    refused(call(request(key, resume=resume)), "request", f"{resume!r} is refused")
    assert snapshot(tmp_path / "store") == before


def test_a_folder_where_other_contents_wait_is_left_to_them(
    call: Call, bucket: Bucket, key: str, paused: str, tmp_path: Path
) -> None:
    other_key, other = bucket.upload(write_model(tmp_path / "other", constant=5.0))
    refused(call(request(other_key, resume=paused)), "request", "nothing of s3://")
    assert call({"verb": "list"})["models"] == []
    assert call(request(key, resume=paused))["state"] == "done"
    assert call(request(other_key))["digest"] == str(other.digest)


def test_a_folder_that_somebody_works_in_is_left_to_them(
    call: Call, key: str, tmp_path: Path
) -> None:
    with Staging(open_store(tmp_path / "store")) as theirs:
        theirs.path("version").mkdir()
        refused(call(request(key, resume=theirs.id)), "request", "nothing of s3://")
        assert theirs.path("version").is_dir()


def test_contents_that_are_published_take_nobodys_folder_away(
    call: Call, key: str, tmp_path: Path
) -> None:
    assert call(request(key))["state"] == "done"
    with Staging(open_store(tmp_path / "store")) as theirs:
        assert theirs.folder.is_dir()
        refused(call(request(key, resume=theirs.id)), "request", "nothing of s3://")
        assert theirs.folder.is_dir()


def test_a_folder_is_taken_up_once(call: Call, key: str, paused: str, tmp_path: Path) -> None:
    answers: list[dict[str, Any]] = []

    def again() -> float:
        if not answers:
            answers.append({})
            answers[0] = call(request(key, resume=paused))
        return 900_000

    assert call(request(key, resume=paused), again)["state"] == "done"
    refused(answers[0], "request", "nothing of s3://")
    assert staged(tmp_path) == []


@pytest.mark.parametrize(
    "spoiled", [b"", b"{", b"[]", b"\xff", b"[" * 100_000, b'{"format": 1}', b'{"format": 2}']
)
def test_a_damaged_note_of_what_arrived_fails_in_one_line(
    call: Call, key: str, paused: str, tmp_path: Path, spoiled: bytes
) -> None:
    (tmp_path / "store" / "staging" / paused / COPIED).write_bytes(spoiled)
    refused(call(request(key, resume=paused)), "store", COPIED)
    assert staged(tmp_path) == [], "it is of no use"


def test_files_that_a_note_names_wrongly_are_copied(
    call: Call, key: str, paused: str, tmp_path: Path
) -> None:
    path = tmp_path / "store" / "staging" / paused / COPIED
    note = json.loads(path.read_text())
    note["files"][0]["digest"] = f"sha256:{'0' * 64}"
    path.write_text(json.dumps(note))
    done = call(request(key, resume=paused))
    assert (done["state"], done["version"]) == ("done", 1)


@pytest.mark.parametrize("spoil", [lambda p: p.unlink(), lambda p: p.write_bytes(b"{}")])
def test_a_file_that_was_spoiled_in_between_is_never_published(
    call: Call, key: str, paused: str, tmp_path: Path, spoil: Callable[[Path], object]
) -> None:
    (arrived,) = (tmp_path / "store" / "staging" / paused).rglob("expected.json")
    spoil(arrived)
    refused(call(request(key, resume=paused)), "trial", "expected.json")
    assert call({"verb": "list"})["models"] == []
    assert staged(tmp_path) == []
