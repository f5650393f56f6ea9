"""A store in which everything is that there can be: models, versions, labels, a package set.

adder:   1 stable; 2 latest, with a pipeline and a golden case; 3 deleted; 4 retired and held
greeter: 1 latest, which imports from a package set
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any, Final

import pytest

from model_store.layout import StoreLayout
from model_store.reading import read_upward, read_version
from model_store.refs import State
from model_sync.admin.operations import run_operation
from model_sync.mounted_store import MountedStore
from model_sync.progress import Silent
from model_sync.publishing.publish import publish
from tests.support.model_folders import write_bare, write_full
from tests.support.packaged_models import write_greeter
from tests.support.wheels import offer_wheels

if TYPE_CHECKING:
    from pathlib import Path

    from model_store.digests import Digest
    from model_store.refs import Refs
    from model_sync.progress import Progress

ADDER: Final = "adder"
GREETER: Final = "greeter"


def build_rich_store(folder: Path) -> Path:
    """Publish it all below `folder`, and return the store's root."""
    root = folder / "store"
    for number in (1, 2, 3, 4):
        write = write_full if number == 2 else write_bare
        publish(write(folder / f"{number}" / ADDER, number), root, progress=Silent())
        if number == 1:
            ask(root, "promote", model=ADDER, version="1", label="stable")
    ask(root, "promote", model=ADDER, version="2")
    for number in (3, 4):
        ask(root, "retire", model=ADDER, version=number)
    ask(root, "hold", model=ADDER, version=4, job="nightly", hours=5)
    ask(root, "split", model=ADDER, shares={"stable": 10})
    delete(root, ADDER, 3)
    with pytest.MonkeyPatch.context() as patch:
        wheels = folder / "wheels"
        offer_wheels(patch, wheels)
        publish(write_greeter(folder / GREETER, wheels, "greeting"), root, progress=Silent())
    return root


def opened(root: Path, progress: Progress | None = None) -> MountedStore:
    """The store, as verbs take it."""
    return MountedStore(layout=StoreLayout(root), progress=progress or Silent(), who="test")


def ask(root: Path, verb: str, progress: Progress | None = None, **fields: Any) -> dict[str, Any]:
    """Run one of the store's verbs."""
    return run_operation(verb, opened(root, progress), fields)


def delete(root: Path, model: str, number: int) -> None:
    """Sweep a version as a sweep does: mark it in refs, then remove its folder."""

    def decide(refs: Refs) -> Refs:
        gone = refs.versions[number]._replace(state=State.DELETED)
        return refs._replace(versions={**refs.versions, number: gone})

    entry = opened(root).change(model, decide, verb="sweep", reason="").after.versions[number]
    shutil.rmtree(StoreLayout(root).model(model).version(entry.id))
    for prepared in entry.preparations.values():
        shutil.rmtree(StoreLayout(root).model(model).preparation(prepared))


def newest(root: Path, model: str = ADDER) -> Refs:
    """A model's newest refs."""
    refs = read_upward(StoreLayout(root).model(model))
    assert refs
    return refs


def version_path(root: Path, number: int, model: str = ADDER) -> Path:
    """The folder of a version."""
    return StoreLayout(root).model(model).version(newest(root, model).versions[number].id)


def preparation_path(root: Path, number: int, model: str = ADDER) -> Path:
    """The folder of a version's one preparation."""
    (prepared,) = newest(root, model).versions[number].preparations.values()
    return StoreLayout(root).model(model).preparation(prepared)


def set_path(root: Path) -> Path:
    """The folder of the package set."""
    return StoreLayout(root).package_set(set_digest(root))


def set_digest(root: Path) -> Digest:
    """The package set that the greeter imports from."""
    entry = newest(root, GREETER).versions[1]
    packages = read_version(StoreLayout(root), GREETER, entry).content.packages
    assert packages
    return packages
