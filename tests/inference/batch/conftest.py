"""A store that is published once, and buckets on an S3 server."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.inference.batch.buckets import handler_of, make_buckets
from tests.inference.batch.models import ADDER, BYTES, PLUS, publish_model
from tests.support.s3_server import client

if TYPE_CHECKING:
    from pathlib import Path

    from inference.batch.handler import BatchHandler
    from tests.inference.batch.buckets import Buckets


@pytest.fixture(scope="session")
def batch_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of the models of models.py: version 1 of each. Not to be changed."""
    store = tmp_path_factory.mktemp("published") / "store"
    for name in (ADDER, PLUS, BYTES):
        publish_model(store, name)
    return store


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
def handler(batch_models: Path, buckets: Buckets) -> BatchHandler:
    """The batch function's handler over `batch_models` and `buckets`."""
    return handler_of(batch_models, buckets)
