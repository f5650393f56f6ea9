"""A real S3 server, a bucket for each test, and the sync function over both."""

from __future__ import annotations

import contextlib
import itertools
import os
from typing import TYPE_CHECKING, Any, Final

import pytest

from model_sync.sync_job.handler import SyncJob
from model_sync.sync_job.settings import JobSettings
from tests.model_sync.sync_job.buckets import Bucket
from tests.model_sync.sync_job.cloud import Cloud, cloud
from tests.model_sync.sync_job.lambda_client import FUNCTION, Invocation, LambdaClient
from tests.support.s3_server import CREDENTIALS, REGION, client

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_NUMBERS: Final = itertools.count(1)


@pytest.fixture(scope="session")
def s3(s3_port: int) -> Any:
    """A client of that server."""
    return client(s3_port)


@pytest.fixture(scope="session")
def shared(s3: Any) -> Iterator[Bucket]:
    """One bucket for all: the server takes 0.2 s for the first object in a new one."""
    with _new_bucket(s3) as made:
        yield made


@pytest.fixture
def bucket(shared: Bucket) -> Iterator[Bucket]:
    """A bucket without versions, and without objects."""
    yield shared
    _empty(shared)


@pytest.fixture
def versioned(s3: Any) -> Iterator[Bucket]:
    """A new bucket that keeps versions."""
    with _new_bucket(s3) as made:
        s3.put_bucket_versioning(Bucket=made.name, VersioningConfiguration={"Status": "Enabled"})
        yield made


@pytest.fixture
def call(s3: Any, bucket: Bucket, tmp_path: Path) -> Callable[..., Any]:
    """Call the sync function; its bucket is `bucket`, its store `tmp_path / "store"`.

    `remaining_ms` is the remaining time that its context reports.
    """
    job = SyncJob(JobSettings(tmp_path / "store", bucket.name), s3)

    def call(
        event: dict[str, Any], remaining_ms: Callable[[], float] = lambda: 900_000
    ) -> dict[str, Any]:
        return job(event, Invocation(remaining_ms))

    return call


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch, s3_port: int) -> None:
    """Let clients that this process makes reach that server, and nothing that is not loopback."""
    for name, value in aws_environment(s3_port).items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def dev(here: None, s3_port: int, bucket: Bucket, tmp_path: Path) -> Iterator[Cloud]:
    """The stage `dev`, deployed on loopback; its bucket is `bucket`, its store as of `call`."""
    with cloud() as served, pytest.MonkeyPatch.context() as patch:
        served.stacks["coldpress-dev"] = {"ModelsBucket": bucket.name, "SyncFunction": FUNCTION}
        served.answer = LambdaClient(bucket, tmp_path / "store").called
        for name, value in served.environment(s3_port).items():
            patch.setenv(name, value)
        yield served


def aws_environment(s3_port: int) -> dict[str, str]:
    """Settings by which AWS's SDK finds the server, and asks no other machine for credentials."""
    return {
        **CREDENTIALS,
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ENDPOINT_URL_S3": f"http://127.0.0.1:{s3_port}",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }


@contextlib.contextmanager
def _new_bucket(s3: Any) -> Iterator[Bucket]:
    """A bucket, and its end: each takes volumes of the server's, which has about 170 of them."""
    made = Bucket(s3, f"models-{next(_NUMBERS)}")
    s3.create_bucket(Bucket=made.name)
    try:
        yield made
    finally:
        _empty(made)
        s3.delete_bucket(Bucket=made.name)


def _empty(bucket: Bucket) -> None:
    s3 = bucket.s3
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket.name):
        for each in (*page.get("Versions", ()), *page.get("DeleteMarkers", ())):
            s3.delete_object(Bucket=bucket.name, Key=each["Key"], VersionId=each["VersionId"])
