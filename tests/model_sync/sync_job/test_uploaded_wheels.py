"""The wheels of an uploaded set are the bytes that its document says, and can be unpacked."""

from __future__ import annotations

import json
import zipfile
from typing import TYPE_CHECKING, Any

import pytest

from model_store.digests import Digest
from model_store.package_set import PackageSetManifest, Wheel
from model_sync.sources.uploaded import BLOBS, SETS
from tests.model_sync.sync_job.invocations import refused
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


def put_set(bucket: Bucket, files: dict[str, bytes]) -> str:
    """Upload a set as a stranger would, of files by their names, under the key that follows."""
    digests = {name: Digest.of_bytes(body) for name, body in files.items()}
    for name, digest in digests.items():
        bucket.put(BLOBS + digest.hex, files[name])
    made_of = []
    for file, digest in digests.items():
        name, version, *_ = file.split("-")
        made_of.append(Wheel(name, version, digest))
    manifest = PackageSetManifest(TARGET, tuple(sorted(made_of)), 0, 0, Digest.of_bytes(b""), "")
    key = f"{SETS}{manifest.digest.hex}.json"
    listed = [
        {"file": name, "digest": str(digest), "size_bytes": len(files[name])}
        for name, digest in digests.items()
    ]
    document = {
        "format": 1,
        "target": TARGET.to_json(),
        "pruned": True,
        "wheels": listed,
    }
    bucket.put(key, json.dumps(document).encode())
    return key


def test_a_wheel_whose_bytes_are_others_is_refused(
    call: Call, bucket: Bucket, tmp_path: Path
) -> None:
    key = upload_wheels(bucket, write_two(tmp_path / "wheels"))
    blob = bucket.keys(BLOBS)[-1]
    bucket.put(blob, bytes(len(bucket.get(blob))))
    answer = call(request_set(key))
    refused(answer, "source", "the bytes of ")
    said = answer["error"]["message"]
    assert " are damaged: delete s3://" in said
    assert said.endswith(", and publish again")
    assert nothing_is_left(tmp_path)


def test_a_wheel_whose_bytes_are_gone_is_named(call: Call, bucket: Bucket, tmp_path: Path) -> None:
    wheels = write_two(tmp_path / "wheels")
    key = upload_wheels(bucket, wheels)
    digest = Digest.of_bytes(wheels[0].read_bytes())
    bucket.s3.delete_object(Bucket=bucket.name, Key=BLOBS + digest.hex)
    refused(
        call(request_set(key)), "source", f"names '{wheels[0].name}', whose bytes are gone: s3://"
    )
    assert nothing_is_left(tmp_path)


def _deflated(path: Path) -> bytes:
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(f"{path}.new", "w", 8) as target:
        for name in source.namelist():
            target.writestr(name, source.read(name) * 20)
    data = bytearray((path.parent / f"{path.name}.new").read_bytes())
    data[60:80] = bytes(20)
    return bytes(data)


def _encrypted(path: Path) -> bytes:
    data = bytearray(path.read_bytes())
    for start in range(len(data) - 10):
        if bytes(data[start : start + 4]) in {b"PK\x03\x04", b"PK\x01\x02"}:
            data[start + (6 if data[start + 2] == 3 else 8)] |= 1
    return bytes(data)


def _bad_record(path: Path) -> bytes:
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("x-1.0.dist-info/more", "")
    return path.read_bytes().replace(b"alpha/__init__.py,,", b"alpha/__init__.py,a,")


@pytest.mark.parametrize("spoil", [lambda _: b"no archive", _deflated, _encrypted, _bad_record])
def test_bytes_that_are_no_wheel_are_refused_in_one_line(
    call: Call, bucket: Bucket, tmp_path: Path, spoil: Callable[[Path], bytes]
) -> None:
    wheel = write_wheel(tmp_path / "wheels", "alpha")
    key = put_set(bucket, {wheel.name: spoil(wheel)})
    refused(call(request_set(key)), "packages", f"{wheel.name} cannot be unpacked: ")
    assert nothing_is_left(tmp_path)


def test_two_wheels_of_one_package_are_refused_though_their_key_follows(
    call: Call, bucket: Bucket, tmp_path: Path
) -> None:
    files = {}
    for version in ("1.0", "2.0"):
        module = {f"alpha_{version[0]}.py": ""}
        wheel = write_wheel(tmp_path / "wheels", "alpha", version=version, files=module)
        files[wheel.name] = wheel.read_bytes()
    refused(
        call(request_set(put_set(bucket, files))), "packages", "two wheels are of the package alpha"
    )
    assert nothing_is_left(tmp_path)
    assert call({"verb": "list-packages"}) == {"state": "done", "packages": []}
