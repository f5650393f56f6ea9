from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from inference.batch.settings import BatchSettings
from inference.settings import SettingError, Settings
from tests.support.places import ROOT

RIGHT = {"STORE_PATH": "/mnt/store", "BATCH_OUTPUT_BUCKET": "answers", "REF_TTL_S": "5"}


def test_the_settings_are_every_functions_and_the_output_bucket() -> None:
    settings = BatchSettings.from_environ(RIGHT)
    assert settings == BatchSettings(Settings(Path("/mnt/store"), ref_ttl_s=5.0), "answers")
    assert settings.describe()["batch_output_bucket"] == "answers"
    assert settings.describe()["store_path"] == "/mnt/store"


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"BATCH_OUTPUT_BUCKET": ""}, "BATCH_OUTPUT_BUCKET is not set"),
        ({"BATCH_OUTPUT_BUCKET": "s3://answers"}, "BATCH_OUTPUT_BUCKET is 's3://answers'"),
        ({"BATCH_OUTPUT_BUCKET": "answers/out"}, "BATCH_OUTPUT_BUCKET is"),
        ({"BATCH_OUTPUT_BUCKET": "Answers"}, "BATCH_OUTPUT_BUCKET is"),
        ({"BATCH_OUTPUT_BUCKET": "ab"}, "BATCH_OUTPUT_BUCKET is"),
        ({"STORE_PATH": ""}, "STORE_PATH is not set"),
        ({"REF_TTL_S": "soon"}, "REF_TTL_S is 'soon'"),
    ],
)
def test_a_wrong_value_is_refused_by_its_variables_name(
    changed: dict[str, str], named: str
) -> None:
    with pytest.raises(SettingError, match=named):
        BatchSettings.from_environ(RIGHT | changed)


def test_a_wrong_value_ends_the_functions_start() -> None:
    environ = {
        **os.environ,
        **RIGHT,
        "BATCH_OUTPUT_BUCKET": "No",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    started = subprocess.run(
        [sys.executable, "-c", "import inference.batch_function"],
        cwd=ROOT,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert started.returncode == 1
    assert started.stderr.rstrip().endswith("BATCH_OUTPUT_BUCKET is 'No': expected a bucket's name")
