"""A store that is published once, and an S3 server that is started once."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import pytest

from tests.inference.batch.buckets import handler_of, make_buckets
from tests.inference.batch.models import ADDER, BYTES, PLUS, publish_model
from tests.inference.logs import log_lines
from tests.support.s3_server import client, s3_server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from inference.batch.handler import BatchHandler
    from tests.inference.batch.buckets import Buckets


@pytest.fixture(scope="session")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of the models of models.py, version 1 of each. Not to be changed."""
    store = tmp_path_factory.mktemp("published") / "store"
    for name in (ADDER, PLUS, BYTES):
        publish_model(store, name)
    return store


@pytest.fixture
def store(published: Path, tmp_path: Path) -> Path:
    """A copy of `published` that a test may change."""
    copy = tmp_path / "store"
    shutil.copytree(published, copy)
    return copy


@pytest.fixture(scope="session")
def s3_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of a real S3 server on loopback."""
    with s3_server(tmp_path_factory.mktemp("s3")) as port:
        yield port


@pytest.fixture(scope="session")
def _buckets(s3_port: int) -> Buckets:
    # Made once: the server takes a fifth of a second over the first object of each bucket.
    return make_buckets(client(s3_port), "batch")


@pytest.fixture(scope="session")
def _versioned(s3_port: int) -> Buckets:
    made = make_buckets(client(s3_port), "versioned")
    made.s3.put_bucket_versioning(Bucket=made.inputs, VersioningConfiguration={"Status": "Enabled"})
    return made


@pytest.fixture
def buckets(_buckets: Buckets) -> Buckets:
    """An input bucket and an output bucket, with nothing in them."""
    _buckets.empty()
    return _buckets


@pytest.fixture
def versioned(_versioned: Buckets) -> Buckets:
    """The same, the inputs' bucket with versions."""
    _versioned.empty()
    return _versioned


@pytest.fixture
def handler(published: Path, buckets: Buckets) -> BatchHandler:
    """The batch function's handler over `published` and `buckets`."""
    return handler_of(published, buckets)


@pytest.fixture
def logged() -> Iterator[list[dict[str, Any]]]:
    """Log of the product during a test: the JSON lines that go to stdout."""
    with log_lines() as lines:
        yield lines
