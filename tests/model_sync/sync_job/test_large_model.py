"""A model of 300 MB on its way through S3: in parts, whole, and never in memory as a whole."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Any, Final

import pytest

from model_sync.progress import Silent
from model_sync.publishing.contents import stage_contents
from model_sync.sources.folder import FolderSource
from model_sync.sources.recipe import read_recipe
from model_sync.sources.uploaded import BLOBS
from model_sync.stage.uploads import upload_contents
from tests.model_sync.sync_job.buckets import Bucket, write_model
from tests.support.places import ROOT
from tests.support.s3_server import CREDENTIALS, REGION

if TYPE_CHECKING:
    from pathlib import Path

    from model_store.version import VersionContent

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="a process's peak is read from /proc"),
]

MIB: Final = 1 << 20
WIDTH: Final = 75 * MIB
"""Floats: 300 MiB."""
MOST_GROWTH: Final = 150 * MIB
"""Ten ranges of 8 MiB are under way at once; the rest is room for what else grows."""

SYNC: Final = """\
import json, re, sys
from pathlib import Path

from model_sync.sync_function import handler


class Context:
    def get_remaining_time_in_millis(self):
        return 900_000


answer = handler(json.loads(sys.argv[1]), Context())
# Not getrusage: that begins with the peak of the process that started this one.
status = Path("/proc/self/status").read_text()
answer["peak_bytes"] = int(re.search(r"VmHWM:\\s+(\\d+) kB", status)[1]) * 1024
print(json.dumps(answer))
"""


def stage(tmp_path: Path, name: str, width: int) -> tuple[VersionContent, Path]:
    source = FolderSource(write_model(tmp_path / name, width=width))
    staged = tmp_path / f"staged-{name}"
    staged.mkdir()
    content = stage_contents(read_recipe(source, name=name), source, staged, Silent())
    shutil.rmtree(tmp_path / name)
    return content, staged


def sync(bucket: Bucket, s3_port: int, store: Path, model: str, key: str) -> dict[str, Any]:
    """Run the sync function in a process of its own, whose memory is its own."""
    request = {"verb": "publish", "request_id": model, "model": model, "source": key}
    done = subprocess.run(
        [sys.executable, "-c", SYNC, json.dumps(request)],
        cwd=ROOT,
        env={
            **os.environ,
            **CREDENTIALS,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ENDPOINT_URL_S3": f"http://127.0.0.1:{s3_port}",
            "STORE_PATH": str(store),
            "MODELS_BUCKET": bucket.name,
        },
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def test_a_model_of_300_mb_arrives_whole_in_parts_and_in_bounded_memory(
    bucket: Bucket, s3_port: int, tmp_path: Path
) -> None:
    try:
        peaks = {}
        for name, width in (("small", 2), ("large", WIDTH)):
            content, staged = stage(tmp_path, name, width)
            key = upload_contents(bucket.s3, bucket.name, content, staged, Silent())
            shutil.rmtree(staged)
            answer = sync(bucket, s3_port, tmp_path / "store", name, key)
            assert answer["state"] == "done", answer
            assert answer["digest"] == str(content.digest)
            peaks[name] = answer["peak_bytes"]
        [data] = [each for each in content.files if each.size_bytes > MIB]
        assert data.size_bytes == 4 * WIDTH
        assert parts_of(bucket, BLOBS + data.digest.hex) > 1
        assert peaks["large"] - peaks["small"] < MOST_GROWTH
    finally:
        shutil.rmtree(tmp_path)
        stored = bucket.keys()
        for blob in stored:
            bucket.s3.delete_object(Bucket=bucket.name, Key=blob)


def parts_of(bucket: Bucket, key: str) -> int:
    """In how many parts an object was uploaded: its tag says so."""
    _, _, parts = (
        bucket.s3.head_object(Bucket=bucket.name, Key=key)["ETag"].strip('"').partition("-")
    )
    return int(parts or 1)
