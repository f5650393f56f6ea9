"""Published models of a given size without a measured size: the reader estimates their memory."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final

import onnx

from inference.loading.loader import load_version
from inference.loading.memory_need import need_of
from inference.serving.manager import Manager
from model_store.layout import StoreLayout
from tests.support.models import write_adder
from tests.support.stores import commit, copy_model, entry_of, publish_folder
from tests.support.waiting import DEADLINE_S

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from inference.loading.loaded_version import LoadedVersion
    from inference.loading.memory_need import Need
    from model_store.refs import Refs, VersionEntry

SIZE: Final = 40_000
"""In bytes, of the graph of a model of size 1."""


def publish_sized(store: Path, name: str, size: float = 1.0, *, constant: float = 1.0) -> int:
    """Publish x + constant, padded to `size` times SIZE; return the version's number."""
    folder = store.parent / "sources" / name
    path = write_adder(folder, constant)
    model = onnx.load(str(path))
    padding = int(size * SIZE) - path.stat().st_size - 100
    onnx.helper.set_model_props(model, {"padding": "x" * padding})
    onnx.save_model(model, str(path))
    number = publish_folder(store, folder).version
    commit(store, name, _unmeasured)
    return number


def copy_sized(store: Path, source: str, name: str, size: float) -> None:
    """Copy a model by another name, whose size refs state as `size` times SIZE."""

    def resized(refs: Refs) -> Refs:
        entry = refs.versions[1]._replace(size_bytes=int(size * SIZE))
        return refs._replace(versions={1: entry})

    copy_model(store, source, name)
    commit(store, name, resized)


def _unmeasured(refs: Refs) -> Refs:
    """As if all versions had been prepared for another runtime only."""
    versions = {n: entry._replace(preparations={}) for n, entry in refs.versions.items()}
    return refs._replace(versions=versions)


def need(store: Path, name: str, number: int = 1) -> Need:
    """Return the memory of a version, as the reader estimates it."""
    return need_of(None, entry_of(store, number, name).size_bytes)


class Gated:
    """The real loader, held back after it has made room while the gate is closed.

    While `start` is closed, it is held back before that, too. `held` are the models whose loads
    came as far as having room; `most_bytes`, what was taken at the most.
    """

    def __init__(self, gate: threading.Event) -> None:
        self.gate = gate
        self.start = threading.Event()
        self.start.set()
        self.loads: list[tuple[str, int]] = []
        self.held: list[str] = []
        self.most_bytes = 0
        self.manager: Manager | None = None

    def __call__(
        self,
        layout: StoreLayout,
        model: str,
        number: int,
        entry: VersionEntry,
        make_room: Callable[[Need], None] | None = None,
    ) -> LoadedVersion:
        assert make_room is not None
        self.loads.append((model, number))
        assert self.start.wait(DEADLINE_S), "the start stayed closed"

        def hold(need: Need) -> None:
            make_room(need)
            assert self.manager is not None
            # What is taken grows nowhere else: this sees the most of it.
            self.most_bytes = max(self.most_bytes, self.manager.state().used_bytes)
            self.held.append(model)
            assert self.gate.wait(DEADLINE_S), "the gate stayed closed"

        return load_version(layout, model, number, entry, hold)


def manager_of(store: Path, budget_bytes: int, load: Gated) -> Manager:
    """A manager with this much memory that reads refs again at every call."""
    manager = Manager(StoreLayout(store), ref_ttl_s=0.0, load=load, budget_bytes=budget_bytes)
    load.manager = manager
    return manager


def warm(manager: Manager) -> list[str]:
    """The versions that are warm, as `name/number`."""
    models = manager.state().models
    return sorted(f"{name}/{number}" for name, model in models.items() for number in model.warm)


def answers(manager: Manager, name: str, number: int = 1) -> None:
    """A call to a model is answered, by this version of it, and ends."""
    assert manager.resolve(name).loaded.number == number
