"""Scenarios to kill: each verb that writes, with a prepared store, called in this process.

Each scenario prepares a store (`prepare`) and calls one verb (`act`). All scenarios use the model
MODEL, whose versions are a kilobyte each.
"""

from __future__ import annotations

import contextlib
import os
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from unittest import mock

from model_store.layout import StoreLayout
from model_store.names import new_id
from model_store.package_set import Target
from model_sync.admin.operations import run_operation
from model_sync.mounted_store import MountedStore
from model_sync.package_sets.publish import publish_wheels
from model_sync.progress import Silent
from model_sync.publishing.publish import publish, publish_source, read_folder
from model_sync.store_io.create_store import open_store
from model_sync.sweep.verb import sweep_store
from tests.support.model_folders import write_full
from tests.support.other_runtime import move_to_other_runtime
from tests.support.packaged_models import write_greeter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

MODEL: Final = "adder"
CONSTANTS: Final = {"one": 1.0, "two": 2.0, "other": 7.0, "next": 8.0}


@dataclass(frozen=True, slots=True)
class Place:
    """Places of a scenario: a store, which may not exist yet, and folders to publish."""

    store: Path
    inputs: Path

    @property
    def layout(self) -> StoreLayout:
        """The store's layout."""
        return StoreLayout(self.store)

    def write_inputs(self) -> None:
        """Write every folder that a scenario publishes."""
        for name, constant in CONSTANTS.items():
            write_full(self.inputs / name, constant)
        write_greeter(self.inputs / "greeter", self.inputs / "wheels", "kill_greeting")

    def publish(self, name: str) -> int:
        """Publish one of the folders; returns the version's number."""
        return publish(self.inputs / name, self.store, progress=Silent(), name=MODEL).version

    def publish_with_packages(self) -> None:
        """Publish a package set and a version that names it; no registry is asked for wheels."""
        layout = open_store(self.store)
        wheels = tuple((self.inputs / "wheels").iterdir())
        manifest, _ = publish_wheels(wheels, layout, Target.running(), Silent())
        source, recipe = read_folder(self.inputs / "greeter", name=MODEL)
        publish_source(source, recipe, layout, progress=Silent(), packages=manifest.digest)

    def operate(self, verb: str, **asked: Any) -> dict[str, Any]:
        """Run another verb."""
        return run_operation(verb, self._opened(), asked)

    def sweep(self, days: int) -> None:
        """Sweep as if it were so many days later; raises RuntimeError if anything failed."""
        report = sweep_store(self._opened(), time.time() + days * 86_400)
        if report["failures"]:
            raise RuntimeError(f"sweep fails: {report['failures']}")

    def abandon(self) -> None:
        """Leave a staging folder behind, as a writer that was killed."""
        folder = self.layout.staging(new_id())
        folder.mkdir()
        (folder / "part").write_bytes(b"part")

    def _opened(self) -> MountedStore:
        return MountedStore(layout=self.layout, progress=Silent(), who="test")

    def publish_in_doubt(self, name: str) -> None:
        """Publish while the answer to the link that commits is lost: it is made, and reported."""
        with _answer_lost():
            self.publish(name)


@dataclass(frozen=True, slots=True)
class Scenario:
    """One verb on a store."""

    act: Callable[[Place], object]
    prepare: tuple[Callable[[Place], object], ...] = field(default=())
    fewest: int = 20
    """Points that must be tried, or something is not counted."""
    repeats: bool = True
    """Whether the act, after it was interrupted or not, comes to the same outcome again."""
    sweeps: bool = False
    """Whether it deletes: a package set may be there in part then, without its manifest."""


def _publish(name: str) -> Callable[[Place], object]:
    return lambda place: place.publish(name)


def _operate(verb: str, **asked: Any) -> Callable[[Place], object]:
    return lambda place: place.operate(verb, model=MODEL, **asked)


def _sweep(days: int) -> Callable[[Place], object]:
    return lambda place: place.sweep(days)


def _fall_behind(place: Place) -> None:
    """Leave `refs.json` one generation behind, as a writer that ended after its link."""
    model = place.layout.model(MODEL)
    model.refs_json.unlink()
    os.link(model.generation(1), model.refs_json)


@contextlib.contextmanager
def _answer_lost() -> Iterator[None]:
    link = os.link

    def linking(source: Path, target: Path) -> None:
        link(source, target)
        if target.parent.name == "refs":
            raise OSError(5, "the answer was lost")

    with mock.patch.object(os, "link", linking):
        yield


_TWO: Final = (_publish("one"), _publish("two"))
_RETIRED: Final = (
    *(Place.publish_with_packages, *_TWO),  # a label's last two versions are kept
    *(_operate("retire", version=1), Place.abandon),
)

SCENARIOS: Final[Mapping[str, Scenario]] = {
    "new store": Scenario(lambda place: open_store(place.store), fewest=8),
    "first publish": Scenario(_publish("one"), fewest=60),
    "second publish": Scenario(_publish("two"), (_publish("one"),), fewest=50),
    "publish after a crash": Scenario(_publish("other"), (*_TWO, _fall_behind), fewest=50),
    "publish in doubt": Scenario(
        lambda place: place.publish_in_doubt("two"), (_publish("one"),), fewest=50
    ),
    # It settles; where there is nothing to settle either, it writes nothing (test_round_trips.py).
    "no-op publish": Scenario(_publish("two"), (*_TWO, _fall_behind), fewest=8),
    "package set": Scenario(Place.publish_with_packages, (_publish("one"),), fewest=75),
    "promote": Scenario(_operate("promote", version="1", label="stable"), _TWO, fewest=15),
    "rollback": Scenario(_operate("rollback"), _TWO, fewest=15, repeats=False),
    "retire": Scenario(_operate("retire", version=1), _TWO, fewest=15),
    "prepare": Scenario(
        _operate("prepare"),
        (*_TWO, lambda place: move_to_other_runtime(place.layout, MODEL)),
        fewest=25,
    ),
    "settle": Scenario(_operate("settle"), (*_TWO, _fall_behind), fewest=8),
    "sweep a version": Scenario(_sweep(3), _RETIRED, fewest=40, sweeps=True),
    "sweep a package set": Scenario(_sweep(6), (*_RETIRED, _sweep(3)), fewest=30, sweeps=True),
    "sweep a model": Scenario(
        _sweep(6),
        (_publish("one"), _operate("delete-model"), _sweep(3)),
        fewest=30,
        sweeps=True,
    ),
}
