"""A real S3 server, a bucket for each test, and the sync function over both."""

from __future__ import annotations

import importlib
import itertools
from typing import TYPE_CHECKING, Any, Final

import pytest

from model_sync.job_settings import JobSettings
from tests.batch.seaweed import CREDENTIALS, REGION, client, s3_server
from tests.sync_from_s3.buckets import Bucket

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from types import ModuleType

_NUMBERS: Final = itertools.count(1)


@pytest.fixture(scope="session")
def s3_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of a real S3 server on loopback."""
    with s3_server(tmp_path_factory.mktemp("s3")) as port:
        yield port


@pytest.fixture(scope="session")
def s3(s3_port: int) -> Any:
    """A client of that server."""
    return client(s3_port)


@pytest.fixture
def bucket(s3: Any) -> Bucket:
    """A new bucket, without versions."""
    return _new_bucket(s3)


@pytest.fixture
def versioned(s3: Any) -> Bucket:
    """A new bucket that keeps versions."""
    made = _new_bucket(s3)
    s3.put_bucket_versioning(Bucket=made.name, VersioningConfiguration={"Status": "Enabled"})
    return made


@pytest.fixture(scope="session")
def _job(s3_port: int, tmp_path_factory: pytest.TempPathFactory) -> ModuleType:
    environ = {
        "STORE_PATH": str(tmp_path_factory.mktemp("nowhere")),
        "MODELS_BUCKET": "nowhere",
        "AWS_ENDPOINT_URL_S3": f"http://127.0.0.1:{s3_port}",
        "AWS_DEFAULT_REGION": REGION,
        **CREDENTIALS,
    }
    with pytest.MonkeyPatch.context() as patch:  # importing it reads the environment
        for name, value in environ.items():
            patch.setenv(name, value)
        return importlib.import_module("model_sync.job")


@pytest.fixture
def call(
    _job: ModuleType,
    s3: Any,
    bucket: Bucket,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[[dict[str, Any]], Any]:
    """Call the sync function; its bucket is `bucket`, its store `tmp_path / "store"`."""
    monkeypatch.setattr(_job, "settings", JobSettings(tmp_path / "store", bucket.name))
    monkeypatch.setattr(_job, "_s3", s3)
    return lambda event: _job.handler(event, None)


def _new_bucket(s3: Any) -> Bucket:
    made = Bucket(s3, f"models-{next(_NUMBERS)}")
    s3.create_bucket(Bucket=made.name)
    return made
