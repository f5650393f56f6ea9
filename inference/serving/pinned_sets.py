"""The package sets that this process imported from, and what follows from them.

Python cannot unload what it imported, and a shared library stays mapped, so a set stays in use
until the process ends, also if the version that pinned it failed to load or was unloaded. Hence

- a session may run only while each of these sets has a lease (mapped_files.py); the leases follow
  from the refs of the models that pin the sets: `leases`, `refresh_refs`;
- a version that needs other packages does not load here: `note_conflict`;
- for either reason the environment may have to be restarted (recycling_policy.py): `due`.

Locking: `WarmModels.lock` guards all state here, too, so that a call's decision sees warm versions
and leases at one moment. Each method says whether it takes the lock or its caller holds it. Two
reads need no lock: whether any set is pinned, and the names of the models. No I/O is done under it.
"""

from __future__ import annotations

import contextlib
import random
from typing import TYPE_CHECKING, Final

from inference.errors import ServingError
from inference.loading.loader import has_used_package_sets
from inference.process.clock import Moment
from inference.serving.mapped_files import lease_of_pinned
from inference.serving.refs_watch import UPWARD_EVERY_S
from model_store.errors import StoreError
from model_store.reading import read_version
from model_store.refs import State

if TYPE_CHECKING:
    from inference.serving.mapped_files import FileLease, Pinned
    from inference.serving.recycling_policy import Conflict, Due
    from inference.serving.refs_watch import RefsWatch
    from inference.serving.warm_models import WarmModel, WarmModels
    from model_store.digests import Digest
    from model_store.layout import StoreLayout
    from model_store.refs import VersionEntry


class PinnedSets:
    """The pinned package sets of one environment. Thread-safe. Construction reads nothing.

    `max_staleness_s`: how stale an answer callers accept; an environment that can answer waits up
    to half of it, at random, before it is due to be restarted.
    """

    def __init__(
        self, layout: StoreLayout, watch: RefsWatch, models: WarmModels, *, max_staleness_s: float
    ) -> None:
        self._layout = layout
        self._watch = watch
        self._models = models
        self._wait_s: Final = random.uniform(0.0, max_staleness_s / 2)  # noqa: S311 - no secret
        self._pinned: Final[dict[Digest, set[Pinned]]] = {}
        self._model_names: frozenset[str] = frozenset()
        self._outlived: dict[Digest, Moment] = {}
        self._conflicts: dict[Pinned, Conflict] = {}

    def pin(self, packages: Digest, model: WarmModel, number: int) -> None:
        """Record that a version pins a set that this process imported from. Takes the lock."""
        view = self._watch.view(model.name)
        with self._models.lock:
            pinned_by = self._pinned.setdefault(packages, set())
            for pinned in [*pinned_by]:
                entry = view.refs.versions.get(pinned[2]) if view else None
                if pinned[1] == model.identity and entry and entry.state is State.DELETED:
                    pinned_by.discard(pinned)  # it makes no set any safer
            pinned_by.add((model.name, model.identity, number))
            self._model_names |= {model.name}

    def pin_after_failure(self, model: WarmModel, number: int, entry: VersionEntry) -> None:
        """Pin the set of a version that failed to load, if the set stays in use. Takes the lock.

        Reads the version's manifest, unless this process never used a package set.
        """
        if not has_used_package_sets():
            return
        # Imported here: the load that used a set has imported it.
        from inference.package_sets.active_sets import is_in_use  # noqa: PLC0415

        try:
            packages = read_version(self._layout, model.name, entry).content.packages
        except StoreError:
            return
        if packages and is_in_use(self._layout, packages):
            self.pin(packages, model, number)

    def note_conflict(self, name: str, number: int, entry: VersionEntry) -> None:
        """Record which pinned sets kept a version from loading, if any did. Takes the lock.

        Reads manifests, unless no set is pinned.
        """
        if not self._pinned:
            return
        # Imported here: few environments import from a package set.
        from inference.package_sets.conflicts import find_conflicting_sets  # noqa: PLC0415
        from inference.serving.recycling_policy import Conflict  # noqa: PLC0415

        view = self._watch.view(name)
        in_the_way: tuple[Digest, ...] = ()
        with contextlib.suppress(StoreError):  # the next failed load finds it
            in_the_way = find_conflicting_sets(self._layout, name, entry, [*self._pinned])
        if view is None or not in_the_way:
            return
        version = (name, view.identity, number)
        with self._models.lock:
            earlier = self._conflicts.get(version)
            noticed = earlier.noticed if earlier else Moment.now()
            self._conflicts[version] = Conflict(version, in_the_way, noticed)

    def leases(self) -> list[FileLease]:
        """Return the lease of each pinned set, by refs as last seen. The caller holds the lock."""
        return [lease_of_pinned(pinned_by, self._watch.view) for pinned_by in self._pinned.values()]

    def refresh_refs(self) -> None:
        """Read refs of the models that pin a set if it is time to read them upward. Takes no lock.

        All sessions depend on these refs, and there may be no calls for these models, by which
        their refs would be read.
        """
        for name in self._model_names:
            view = self._watch.view(name)
            # A model that is gone would be looked up at every call.
            if view and view.upward_at.elapsed_s(Moment.now()) >= UPWARD_EVERY_S:
                with contextlib.suppress(ServingError):
                    self._watch.look(name)

    def due(self) -> Due | None:
        """Return why this environment must be restarted for its sets; None if it need not be.

        To be called between calls. Takes the lock; reads nothing of the store.
        """
        if not self._pinned:
            return None
        # Imported here: few environments import from a package set.
        from inference.serving import recycling_policy  # noqa: PLC0415

        with self._models.lock:
            now, view_of = Moment.now(), self._watch.view
            outlived = recycling_policy.find_outlived(self._pinned, view_of)
            self._outlived = {each: self._outlived.get(each, now) for each in outlived}
            return recycling_policy.find_due(
                self._conflicts.values(),
                self._outlived,
                self._pinned,
                view_of,
                now,
                wait_s=self._wait_s,
                answered=self._models.answering(),
            )
