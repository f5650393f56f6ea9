"""Real stores: made by the writer's own code, and changed as it changes them."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from model_store.layout import StoreLayout
from model_store.names import new_id
from model_store.reading import read_upward
from model_store.refs import LATEST, Refs, State, VersionEntry
from model_sync.progress import Silent
from model_sync.publishing.publish import publish
from model_sync.refs.commit import settle, try_commit
from model_sync.store_io.staging import Staging
from tests.support.models import write_adder

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from model_sync.publishing.publication import PublishResult

ADDER = "adder"
STEP = 100.0
"""Version n of the store's adder adds n times this, so that each answer tells who gave it."""


def publish_adder(
    store: Path,
    constant: float,
    *,
    name: str = ADDER,
    pipeline: str | None = None,
    data: Mapping[str, str] | None = None,
) -> PublishResult:
    """Publish x + constant, with a pipeline and its data files where they are given."""
    folder = store.parent / "sources" / name
    shutil.rmtree(folder, ignore_errors=True)
    write_adder(folder, constant)
    return publish_folder(store, folder, pipeline=pipeline, data=data)


def publish_folder(
    store: Path,
    folder: Path,
    *,
    pipeline: str | None = None,
    data: Mapping[str, str] | None = None,
) -> PublishResult:
    """Publish a folder that holds a graph, with a pipeline where one is given."""
    if pipeline is not None:
        data = data or {}
        (folder / "pipeline.py").write_text(pipeline)
        for path, text in data.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text)
        listed = ", ".join(f'"{path}"' for path in data)
        recipe = f'[pipeline]\nfile = "pipeline.py"\ndata = [{listed}]\n'
        (folder / "model.toml").write_text(recipe)
    return publish(folder, store, progress=Silent())


def copy_model(store: Path, source: str, name: str) -> None:
    """Give a store a copy of a model by another name: far quicker than publishing it again."""
    folder = store / "models" / name
    shutil.copytree(store / "models" / source, folder)
    for path in folder.rglob("*.json"):
        text = path.read_text()
        path.write_text(text.replace(f'"model": "{source}"', f'"model": "{name}"'))


def commit(store: Path, name: str, change: Callable[[Refs], Refs]) -> Refs:
    """Commit one generation that changes a model's refs."""
    layout = StoreLayout(store)
    model = layout.model(name)
    with Staging(layout) as staging:
        settle(model, staging)
        refs = refs_of(store, name)
        following = change(refs)._replace(generation=refs.generation + 1, writer=new_id())
        assert try_commit(model, staging, following)
        settle(model, staging)
    return following


def point_latest(store: Path, number: int, name: str = ADDER) -> Refs:
    """Move `latest`, as promoting and rolling back do."""
    return commit(store, name, lambda refs: refs._replace(labels={**refs.labels, LATEST: number}))


def set_state(store: Path, number: int, state: State, name: str = ADDER) -> Refs:
    """Give one version another state, as retiring and sweeping do."""

    def change(refs: Refs) -> Refs:
        entry = refs.versions[number]._replace(state=state)
        return refs._replace(versions={**refs.versions, number: entry})

    return commit(store, name, change)


def refs_of(store: Path, name: str = ADDER) -> Refs:
    """Read a model's newest refs."""
    refs = read_upward(StoreLayout(store).model(name))
    assert refs is not None
    return refs


def entry_of(store: Path, number: int, name: str = ADDER) -> VersionEntry:
    """Return the entry of a version in refs."""
    return refs_of(store, name).versions[number]


def version_folder(store: Path, number: int, name: str = ADDER) -> Path:
    """Return the folder of a version's files."""
    return StoreLayout(store).model(name).version(entry_of(store, number, name).id)
