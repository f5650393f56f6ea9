from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.support.places import ROOT

# Powertools imports the bare package `botocore` where it is installed; that is half a millisecond.
SDK = {"boto3", "botocore.client", "botocore.exceptions", "botocore.session", "s3transfer"}


def imported(code: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys\nprint(*sys.modules)"],
        cwd=ROOT,
        env={
            **os.environ,
            "STORE_PATH": "/mnt/store",
            "BATCH_OUTPUT_BUCKET": "answers",
            "AWS_DEFAULT_REGION": "us-east-1",
        },
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stdout.split())


@pytest.mark.parametrize(
    "code",
    [
        "import inference.predict_function",
        "import inference.cli.batch, inference.batch.folder_storage, inference.batch.run",
    ],
)
def test_neither_predicting_nor_a_batch_of_folders_imports_boto3(code: str) -> None:
    assert not imported(code) & SDK


def test_the_batch_function_imports_no_http_routes() -> None:
    modules = imported("import inference.batch_function")
    assert "boto3" in modules
    assert not modules & {
        "inference.predict_function",
        "inference.http.application",
        "inference.http.inference_routes",
    }
