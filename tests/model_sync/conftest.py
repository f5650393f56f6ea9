"""Stores and models' folders in a temporary folder, and a process's umask put back."""

from __future__ import annotations

import os
import shutil
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from model_store.layout import StoreLayout
from model_sync.progress import Silent
from model_sync.publishing.publish import publish
from model_sync.store_io.create_store import open_store
from model_sync.store_io.staging import Staging
from tests.model_sync.rich_store import build_rich_store
from tests.model_sync.stage_fixtures import (
    bucket,
    call,
    dev,
    here,
    s3,
    shared,
    versioned,
)
from tests.support.durability import Synced
from tests.support.sweepable import Sweepable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from model_store.layout import ModelLayout
    from model_sync.publishing.publication import PublishResult

    Publish = Callable[..., PublishResult]

__all__ = ["bucket", "call", "dev", "here", "s3", "shared", "versioned"]


@pytest.fixture
def layout(tmp_path: Path) -> StoreLayout:
    """A new store, made by the writer."""
    return open_store(tmp_path / "store")


@pytest.fixture
def new_store(tmp_path: Path) -> StoreLayout:
    """The store that `publish_to` makes; nothing is there yet."""
    return StoreLayout(tmp_path / "store")


@pytest.fixture
def model(layout: StoreLayout) -> ModelLayout:
    """A model's folder in a store, with nothing in it."""
    model = layout.model("adder")
    model.folder.mkdir(parents=True)
    return model


@pytest.fixture
def staging(layout: StoreLayout) -> Iterator[Staging]:
    """A staging folder."""
    with Staging(layout) as staging:
        yield staging


@pytest.fixture
def publish_to(tmp_path: Path) -> Publish:
    """Publish a folder into the store of this test, without reporting progress."""

    def publish_folder(folder: Path, **options: Any) -> PublishResult:
        return publish(folder, tmp_path / "store", progress=Silent(), **options)

    return publish_folder


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with everything in it (rich_store.py), made once: for copies only."""
    return build_rich_store(tmp_path_factory.mktemp("rich"))


@pytest.fixture
def rich(tmp_path: Path, built: Path) -> StoreLayout:
    """A copy of the store with everything in it, for one test to do what it likes with."""
    shutil.copytree(built, tmp_path / "rich", symlinks=True)
    return StoreLayout(tmp_path / "rich")


@pytest.fixture
def retries_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """AWS's SDK tries again as often as it does, and does not wait before."""
    monkeypatch.setattr("botocore.endpoint.time", SimpleNamespace(sleep=lambda _seconds: None))


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> Synced:
    """Record paths that this process makes durable; the real fsync is called, too."""
    record, fsync = Synced(), os.fsync

    def recording(fd: int) -> None:
        fsync(fd)
        record.take(fd)

    monkeypatch.setattr(os, "fsync", recording)
    return record


@pytest.fixture(params=[0o000, 0o022, 0o077], ids=oct)
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    """Each umask in turn."""
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


@pytest.fixture
def typed() -> Iterator[None]:
    """Put text on this process's standard input, which its children inherit."""
    reading, writing = os.pipe()
    os.write(writing, b"typed")
    os.close(writing)
    before = os.dup(0)
    os.dup2(reading, 0)
    os.close(reading)
    yield
    os.dup2(before, 0)
    os.close(before)


@pytest.fixture
def sweepable(layout: StoreLayout) -> Sweepable:
    """A store to sweep, with nothing in it."""
    return Sweepable(layout)
