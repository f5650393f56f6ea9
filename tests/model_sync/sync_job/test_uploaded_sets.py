"""An uploaded package set is the one that its key names, wheel by wheel, or is refused."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from model_store.layout import StoreLayout
from model_store.package_set import Target
from model_sync.package_sets.publish import publish_wheels
from model_sync.progress import Silent
from model_sync.sources.uploaded import SETS
from model_sync.store_io.create_store import open_store
from tests.model_sync.sync_job.invocations import refused, staged
from tests.model_sync.sync_job.sets import (
    TARGET,
    nothing_is_left,
    request_set,
    upload_wheels,
    write_two,
)
from tests.support.wheels import write_wheel

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.model_sync.sync_job.buckets import Bucket

    Call = Callable[..., dict[str, Any]]


@pytest.fixture
def wheels(tmp_path: Path) -> tuple[Path, ...]:
    """Two wheels."""
    return write_two(tmp_path / "wheels")


@pytest.fixture
def key(bucket: Bucket, wheels: tuple[Path, ...]) -> str:
    """The set that they make, uploaded."""
    return upload_wheels(bucket, wheels)


def test_it_equals_the_set_published_locally_and_again_reads_no_wheel(
    call: Call, bucket: Bucket, key: str, wheels: tuple[Path, ...], tmp_path: Path
) -> None:
    local, _ = publish_wheels(wheels, open_store(tmp_path / "local"), TARGET, Silent())
    done = call(request_set(key))
    assert (done["state"], done["digest"], done["created"]) == ("done", str(local.digest), True)
    one, other = (
        StoreLayout(tmp_path / name).package_set(local.digest) for name in ("local", "store")
    )
    assert (one / "files.json").read_bytes() == (other / "files.json").read_bytes()
    with bucket.reads() as reads:
        again = call(request_set(key))
    assert again == {**done, "created": False}
    assert reads == [key]
    assert staged(tmp_path) == []


@pytest.mark.parametrize("pruned", [True, False])
def test_it_is_pruned_as_it_was_sent(
    call: Call, bucket: Bucket, tmp_path: Path, pruned: bool
) -> None:
    files = {"alpha/__init__.py": "", "alpha/tests/test_it.py": ""}
    wheels = (write_wheel(tmp_path / "wheels", "alpha", files=files),)
    done = call(request_set(upload_wheels(bucket, wheels, pruned=pruned)))
    assert (done["pruned"], done["left_out_files"]) == (pruned, int(pruned))
    found = {path.name for path in (tmp_path / "store").rglob("test_it.py")}
    assert found == (set() if pruned else {"test_it.py"})


@pytest.mark.parametrize("source", [5, ["sets/x"], {"a": 1}, None, "", "\udcff", "x" * 1025])
def test_a_source_that_is_no_text_is_refused(call: Call, source: object) -> None:
    refused(call(request_set(source)), "request", "'source' is ")


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("contents/x.json", "is no upload: expected sets/<digest>.json"),
        ("sets/../blobs/x.json", "is refused"),
        (f"sets/{'0' * 64}.json", "is missing"),
        ("sets/" + "x" * 1000, "s3://"),
    ],
)
def test_a_key_that_names_no_set_is_refused(call: Call, source: str, message: str) -> None:
    refused(call(request_set(source)), "source", message)


def test_a_key_that_does_not_follow_from_the_document_is_refused(
    call: Call, bucket: Bucket, key: str, tmp_path: Path
) -> None:
    others = (f"{SETS}{'0' * 64}.json", key.removesuffix(".json"))
    for other in others:
        bucket.put(other, bucket.get(key))
        refused(call(request_set(other)), "source", f"{other} is damaged: its contents do")
    bucket.put(f"{SETS}abc.json", bucket.get(key))
    refused(call(request_set(f"{SETS}abc.json")), "source", "is no digest")
    assert nothing_is_left(tmp_path)


def spoiled(document: dict[str, Any], field: str, value: object) -> bytes:
    *above, last = field.split(".")
    place: Any = document
    for name in above:
        place = place[int(name) if name.isdigit() else name]
    place[last] = value
    return json.dumps(document).encode()


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("target.python", "3.12", "its contents do not match its name"),
        ("target.platform", "../..", "its contents do not match its name"),
        ("target.python", 3.11, "'python' is not a string"),
        ("target", "3.11", "is not a JSON object"),
        ("target.more", "x", "unknown keys"),
        ("pruned", False, "its contents do not match its name"),
        ("pruned", 1, "'pruned' is not true or false"),
        ("wheels", {}, "'wheels' is not a list"),
        ("wheels", ["alpha"], "is not a JSON object"),
        ("wheels", [], "needs a wheel"),
        ("wheels.0.file", "../alpha-1.0-py3-none-any.whl", "is refused"),
        ("wheels.0.file", "a/alpha-1.0-py3-none-any.whl", "is no wheel's file name"),
        ("wheels.0.file", "/alpha-1.0-py3-none-any.whl", "is refused"),
        ("wheels.0.file", "alpha-1.0.tar.gz", "is no wheel's file name"),
        ("wheels.0.file", "alpha.whl", "is no wheel's file name"),
        ("wheels.0.file", "-.whl", "is no wheel's file name"),
        ("wheels.0.file", "alpha-1.0\n-py3-none-any.whl", "is refused"),
        ("wheels.0.file", "beta-1.0-py3-none-any.whl", "names a wheel twice"),
        ("wheels.0.file", "beta-2.0-py3-none-any.whl", "two wheels are of the package beta"),
        ("wheels.0.digest", "sha256:x", "is no digest"),
        ("wheels.0.size_bytes", -1, "is not an integer of at least 0"),
        ("more", 1, "unknown keys"),
    ],
)
def test_a_document_that_is_none_is_refused_in_one_line(
    call: Call, bucket: Bucket, key: str, tmp_path: Path, field: str, value: object, message: str
) -> None:
    bucket.put(key, spoiled(json.loads(bucket.get(key)), field, value))
    answer = call(request_set(key))
    assert answer["error"]["code"] in {"source", "packages"}
    refused(answer, answer["error"]["code"], message)
    assert nothing_is_left(tmp_path)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff", b"[" * 100_000])
def test_a_document_that_is_no_json_is_refused(
    call: Call, bucket: Bucket, key: str, body: bytes
) -> None:
    bucket.put(key, body)
    refused(call(request_set(key)), "source", f"s3://{bucket.name}/{key} is not a JSON")


def test_a_set_that_would_be_shadowed_by_the_functions_own_packages_is_refused(
    call: Call, bucket: Bucket, tmp_path: Path
) -> None:
    """The sender did not look, or the layer has changed since."""
    brought = call({"coldpress": "probe"})["brings"]["orjson"]
    wheels = (write_wheel(tmp_path / "wheels", "orjson", version="9.9"),)
    key = upload_wheels(bucket, wheels, Target.running())
    refused(call(request_set(key)), "packages", f"orjson 9.9, where the runtime brings {brought}")
    assert nothing_is_left(tmp_path)
    other = upload_wheels(bucket, wheels, Target(Target.running().python, "s390x-manylinux_2_28"))
    assert call(request_set(other))["created"]
