"""A scenario's store, set back before each run, and what must hold after one was cut short.

Everything happens in one folder and under a umask of 077, so that a mode that is not set
explicitly shows.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from typing import TYPE_CHECKING
from unittest import mock

from tests.faults.kill_scenarios import MODEL, SCENARIOS, Place
from tests.faults.kill_views import TornError, check_places, look
from tests.support.kill_children import forked_trials

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from model_store.reading import Seen
    from tests.faults.kill_views import View

UMASK = 0o077


class Stage:
    """A scenario, ready to be played again and again.

    `before` and `after` are its two outcomes. `between`: the generations that it commits on its
    way, which readers may see as well; most acts commit one.
    """

    def __init__(self, scenario: str, folder: Path) -> None:
        os.umask(UMASK)
        self.scenario = SCENARIOS[scenario]
        self.place = Place(folder / "play" / "store", folder / "inputs")
        self.place.store.parent.mkdir()
        self.base = folder / "base"
        self.place.write_inputs()
        for prepare in self.scenario.prepare:
            with forked_trials():
                prepare(self.place)
        if self.place.store.exists():
            shutil.copytree(self.place.store, self.base)
        self.before, self.seen = look(self.place.store)
        self.between: list[View | None] = []
        with self._noting_commits():
            self.act()
        self.after, _ = look(self.place.store)
        self._swept = self._sweep_up() if self.scenario.sweeps else {}

    @property
    def outcomes(self) -> tuple[View | None, ...]:
        """Check what a reader may see while the act is in progress, or after it was cut short."""
        return (self.before, *self.between, self.after)

    def reset(self) -> None:
        """Set the store back to what it was before the act."""
        shutil.rmtree(self.place.store, ignore_errors=True)
        if self.base.exists():
            shutil.copytree(self.base, self.place.store)

    def act(self) -> None:
        """Play the act, in this process."""
        with forked_trials():
            self.scenario.act(self.place)

    def check(self, store: Path | None = None, *, is_over: bool = False) -> None:
        """Check that each reader sees an outcome, and none goes back; raises TornError.

        `store`: another one than the one that is played on. `is_over`: the act has returned, so a
        cold reader must see what came of it.
        """
        store = store or self.place.store
        check_places(store, sweeps=self.scenario.sweeps)
        cold, seen = look(store)
        if cold not in ((self.after,) if is_over else self.outcomes):
            raise TornError(f"a cold reader sees {cold}")
        warm, _ = look(store, self.seen)
        if warm not in self.outcomes:
            raise TornError(f"a warm reader sees {warm}")
        again, still = look(store, seen)
        if again != cold or _generation(still) < _generation(seen):
            raise TornError(f"a reader that saw {cold} goes back to {again}")

    def repeat(self) -> None:
        """Run the act again: its result is the same, and later sweeps remove leftovers."""
        if not self.scenario.repeats:
            return
        self.act()
        repeated, _ = look(self.place.store)
        # A sweep commits a generation before it moves what an earlier one left.
        if _apart_from_generation(repeated) != _apart_from_generation(self.after):
            raise TornError(f"the act, asked for again, comes to {repeated}")
        if repeated != self.after and not self.scenario.sweeps:
            raise TornError(f"the act, asked for again, makes one generation more: {repeated}")
        swept = self._sweep_up() if self.scenario.sweeps else {}
        if swept != self._swept:
            raise TornError(f"later sweeps leave {swept}")

    def heal(self, *, verifies: bool = True) -> None:
        """Publish something else: its number is right, it settles, nothing else is changed.

        `verifies`: the whole store, by the verb, as well. Where the act makes what this does not
        (packages/), ask for it again before.
        """
        store = self.place.store
        found, seen = look(store)
        if found is None or (seen and seen.refs.is_removed):
            number, generation, others = 1, 1, {}
        else:
            number, generation = found.next_version, found.generation + 1
            others = dict(found.versions)
        published = self.publish_next()
        healed, _ = look(store)
        if healed is None or (published, healed.labels["latest"]) != (number, number):
            raise TornError(f"the next version is {published}, where {number} was next: {healed}")
        if healed.generation != generation:
            raise TornError(f"the next generation is {healed.generation}, not {generation}")
        if {n: entry for n, entry in healed.versions.items() if n != number} != others:
            raise TornError(f"the next publication changes others: {healed.versions}")
        model = self.place.layout.model(MODEL)
        if not model.refs_json.samefile(model.generation(generation)):
            raise TornError("the next publication does not settle")
        check_places(store, sweeps=self.scenario.sweeps)
        problems = self.place.operate("verify")["problems"] if verifies else []
        if problems:
            raise TornError(f"verify finds {problems}")

    def publish_next(self) -> int:
        """Publish contents that nothing in the store has yet; returns their number."""
        with forked_trials():
            return self.place.publish("next")

    def _sweep_up(self) -> dict[str, int]:
        """Sweep for some days; returns how many folders of each kind are left."""
        for days in (9, 12):
            self.place.sweep(days)
        return check_places(self.place.store)

    @contextlib.contextmanager
    def _noting_commits(self) -> Iterator[None]:
        link = os.link

        def linking(source: Path, target: Path) -> None:
            link(source, target)
            if target.parent.name == "refs":
                self.between.append(look(self.place.store)[0])

        with mock.patch.object(os, "link", linking):
            yield


def _generation(seen: Seen | None) -> int:
    return seen.refs.generation if seen else 0


def _apart_from_generation(view: View | None) -> View | None:
    return view._replace(generation=0) if view else None
