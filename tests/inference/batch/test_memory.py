"""Peak memory for a large object: each run is a separate process that reports its peak."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.inference.batch.buckets import sqs_event
from tests.inference.batch.models import PLUS
from tests.support.events import message
from tests.support.places import ROOT
from tests.support.s3_server import CREDENTIALS, REGION

if TYPE_CHECKING:
    from pathlib import Path

    from tests.inference.batch.buckets import Buckets

LINE = b'{"x": [1, 2], "form": "echo", "text": "' + b"x" * 100_000 + b'"}\n'
"""Answered with itself, so that the output is as large as the input."""
MANY_IN_A_FOLDER = 400
MANY_IN_S3 = 1000
"""Lines whose bytes, 40 and 100 MB, are far more than memory may grow by."""

MOST_MORE_FROM_A_FOLDER_BYTES = 16 << 20
MOST_MORE_FROM_S3_BYTES = 64 << 20
"""A range, a part of each output, and what boto3 makes of them on the way."""

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")

# Not ru_maxrss: that begins with what the process that started this one had.
SAY_PEAK = """
lines = Path("/proc/self/status").read_text().splitlines()
(peak,) = [line.split()[1] for line in lines if line.startswith("VmHWM:")]
sys.stdout.write("\\n" + peak)
"""

FROM_A_FOLDER = f"""
import sys
from pathlib import Path
from inference.__main__ import main
code = main(["batch", "plus", sys.argv[1], sys.argv[2], "--store", sys.argv[3]])
assert code == 0
{SAY_PEAK}"""

FROM_S3 = f"""
import json, sys
from pathlib import Path
from inference.batch_function import handler
from tests.inference.batch.buckets import Context
answer = handler(json.load(sys.stdin), Context())
assert answer == {{"batchItemFailures": []}}, answer
{SAY_PEAK}"""


def peak_bytes(code: str, *arguments: str, stdin: str = "", **environ: str) -> int:
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=ROOT,
        env={**os.environ, **environ},
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return int(done.stdout.splitlines()[-1]) * 1024


def test_from_a_folder_memory_does_not_grow_with_the_object(
    batch_models: Path, tmp_path: Path
) -> None:
    peaks = []
    for lines in (1, MANY_IN_A_FOLDER):
        source, target = tmp_path / f"in-{lines}", tmp_path / f"out-{lines}"
        source.mkdir()
        (source / "a.jsonl").write_bytes(LINE * lines)
        peaks.append(peak_bytes(FROM_A_FOLDER, str(source), str(target), str(batch_models)))
        assert (target / "plus/1/a.jsonl.out").stat().st_size > len(LINE) * lines
    assert peaks[1] - peaks[0] < MOST_MORE_FROM_A_FOLDER_BYTES


def test_from_s3_memory_does_not_grow_with_the_object(batch_models: Path, buckets: Buckets) -> None:
    peaks = []
    for lines in (1, MANY_IN_S3):
        event = sqs_event(message(buckets.put(f"{PLUS}/{lines}.jsonl", LINE * lines)))
        peaks.append(
            peak_bytes(
                FROM_S3,
                stdin=json.dumps(event),
                STORE_PATH=str(batch_models),
                BATCH_OUTPUT_BUCKET=buckets.outputs,
                AWS_ENDPOINT_URL_S3=buckets.s3.meta.endpoint_url,
                AWS_DEFAULT_REGION=REGION,
                **CREDENTIALS,
            )
        )
        head = buckets.s3.head_object(Bucket=buckets.outputs, Key=f"plus/1/{lines}.jsonl.out")
        assert head["ContentLength"] > len(LINE) * lines
    assert peaks[1] - peaks[0] < MOST_MORE_FROM_S3_BYTES
