"""The serving engine of one environment: keep versions warm, and answer with the newest.

A call asks `resolve` for a version, in four steps:

1. *Refs.* They are believed for a while, then read again with a deadline (refs_watch.py). A read
   that fails changes nothing: what is warm answers, for as long as rule 6 (mapped_files.py) allows.
2. *Which version.* The call's number or label, or by refs `latest` less the split (traffic.py).
3. *Decision.* policy.py, a pure function, says which version answers and what to load;
   version_selector.py does it. What is warm, by model, is in warm_models.py.
4. *Loading.* A new version loads in the background, beside the one that answers
   (background_loads.py), within the memory that all versions share (memory_budget.py). The first
   call after it is warm swaps. A call keeps its version to its end, also if that version is
   unloaded before; its memory is freed after the last such call.

Thread-safe: any number of threads may call `resolve`. `WarmModels.lock` guards all state; it is
never held during I/O, loading or a model's run. Threads are daemons, so that neither a hung mount
nor a long load keeps the process from ending.
"""

from __future__ import annotations

import random
import time
from concurrent.futures import wait
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple

from inference.errors import NoMemoryError, NotReadyError, RetiredError, ServingError
from inference.process.background import Background
from inference.serving.background_loads import BackgroundLoads
from inference.serving.mapped_files import LIMITS
from inference.serving.memory_budget import MemoryBudget
from inference.serving.pinned_sets import PinnedSets
from inference.serving.refs_watch import RefsWatch
from inference.serving.stats import Stats
from inference.serving.traffic import Wanted
from inference.serving.version_selector import Call, Resolved, VersionSelector, find_number
from inference.serving.warm_models import WarmModels
from inference.telemetry import count_swap, logger
from model_store.reading import read_version
from model_store.refs import LATEST, Refs

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Future

    from inference.loading.loaded_version import LoadedVersion
    from inference.serving.background_loads import Load
    from inference.serving.recycling_policy import Due
    from inference.serving.refs_watch import TakeSeen
    from inference.serving.status import Environment
    from model_store.layout import StoreLayout
    from model_store.reading import Seen
    from model_store.signature import Signature

LOAD_DEADLINE_S: Final = 25.0
"""Seconds that a call waits for a version to load: less than API Gateway waits for it (30 s)."""


class Described(NamedTuple):
    """A model's refs, and the signature of one of its versions."""

    refs: Refs
    number: int
    signature: Signature
    has_pipeline: bool


class Manager:
    """The warm versions of one store in one environment. Construction reads nothing.

    - `load`: loads one version (loading/loader.py: `load_version`).
    - `ref_ttl_s`: how long refs are believed without being read again.
    - `max_staleness_s`: how long a superseded version may answer while the new one loads.
    - `budget_bytes`: memory for all versions together; None for no limit.
    - `background`: runs work that no call waits for.
    - `take_seen`: refs that were read before the manager was made (loading/early_reads.py).
    - `draw`: returns numbers from 0 up to, not including, 1, for splits.
    """

    def __init__(
        self,
        layout: StoreLayout,
        *,
        ref_ttl_s: float,
        load: Load,
        max_staleness_s: float = 60.0,
        budget_bytes: int | None = None,
        background: Background | None = None,
        take_seen: TakeSeen = lambda _name: None,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self._layout = layout
        self._draw = draw
        self._background = background or Background()
        self.stats: Final = Stats()
        self._models = WarmModels()
        self._watch = RefsWatch(layout, ref_ttl_s=ref_ttl_s, take_seen=take_seen)
        self._budget = MemoryBudget(budget_bytes, self._models, self.stats)
        self._pinned_sets = PinnedSets(
            layout, self._watch, self._models, max_staleness_s=max_staleness_s
        )
        self._loads = BackgroundLoads(
            layout,
            self._watch,
            self._background,
            self._models,
            self._pinned_sets,
            self._budget,
            load=load,
            stats=self.stats,
        )
        self._selector = VersionSelector(
            self._watch,
            self._models,
            self._pinned_sets,
            self._loads,
            stats=self.stats,
            max_staleness_s=max_staleness_s,
        )

    def resolve(
        self,
        name: str,
        version: int | None = None,
        *,
        label: str | None = None,
        routing_key: str | None = None,
        remaining_s: float = LIMITS.longest_invocation_s,
    ) -> Resolved:
        """Return the version that answers a call: by number, by label, or as refs split calls.

        `remaining_s`: for how many seconds the call may use the version. Raises UnknownError (no
        such model, version or label), RetiredError, NoMemoryError, NotReadyError (the store is out
        of reach, or the version does not load). Waits only if nothing warm may answer.
        """
        wanted = Wanted(version, label, routing_key)
        call = Call(name, self._draw(), time.monotonic() + LOAD_DEADLINE_S, remaining_s)
        try:
            resolved = self._selector.select(call, wanted)
        except (NotReadyError, NoMemoryError, RetiredError):
            view = self._selector.look(name)
            if version is not None or label is not None or not view.refs.split:
                raise
            # A call that a split sends elsewhere must not fail where `latest` can answer.
            resolved = self._selector.select(call, wanted._replace(label=LATEST))
        if resolved.took_over:
            count_swap(name)
        return resolved

    def describe(
        self, name: str, version: int | None = None, *, label: str | None = None
    ) -> Described:
        """Return a model's refs and a version's signature, loading nothing.

        Raises as `resolve` does. Reads the version's manifest if the version is not warm.
        """
        view = self._selector.look(name)
        refs = view.refs
        number = find_number(refs, version, _label_meant(version, label))
        with self._models.lock:
            model = self._selector.current(name, view)
            warm = model.warm.get(number) if model else None
        if warm:
            loaded = warm.loaded
            return Described(refs, number, loaded.signature, loaded.pipeline is not None)
        entry = refs.versions[number]
        manifest = self._watch.run_bounded(
            ("manifest", name, number), lambda: read_version(self._layout, name, entry)
        )
        has_pipeline = manifest.content.pipeline_file is not None
        return Described(refs, number, manifest.signature, has_pipeline)

    def preload(self, names: Sequence[str], budget_s: float) -> None:
        """Load the `latest` version of each model; return when all are done or after `budget_s`.

        A failure is logged, and is an error of the calls that need the model.
        """
        end_s = time.monotonic() + budget_s
        starting = [
            self._background.start(partial(self._preload, name), "coldpress-preload")
            for name in names
        ]
        started, _ = wait(starting, budget_s)
        loads = [loading for each in started if (loading := each.result()) is not None]
        wait(loads, max(end_s - time.monotonic(), 0.0))

    def _preload(self, name: str) -> Future[LoadedVersion] | None:
        """Start loading a model's `latest`. Runs in a thread of its own: the store may hang."""
        try:
            view = self._selector.look(name)
            number = find_number(view.refs, None, LATEST)
        except ServingError as error:
            logger.error("a model cannot be preloaded", model=name, reason=str(error))
            return None
        with self._models.lock:
            model = self._selector.current(name, view)
            if model is None or number in model.warm:
                return None
            return self._loads.start(model, number, view, beside=False)

    def number(self, name: str, version: int | None, label: str | None) -> int:
        """Return the version that a number or a label means, `latest` without either.

        Reads no manifest. Raises UnknownError, RetiredError, NotReadyError.
        """
        return find_number(self._selector.look(name).refs, version, _label_meant(version, label))

    def refs(self, name: str) -> Refs:
        """Return a model's refs, as fresh as calls see them; raises UnknownError, NotReadyError."""
        return self._selector.look(name).refs

    def unload(self, name: str) -> None:
        """Unload a model's versions in this environment; the next call loads again.

        Calls in progress keep their version. Raises UnknownError, NotReadyError.
        """
        view = self._selector.look(name)
        with self._models.lock:
            model = self._selector.current(name, view)
            if model is not None:
                self._loads.drop(model.remove_all())
                model.answering.clear()
                model.current_at.clear()

    def published(self) -> tuple[str, ...]:
        """List the models in the store; raises NotReadyError."""
        return self._watch.published()

    def is_empty(self) -> bool:
        """Return True if no model is published; raises NotReadyError.

        Reads nothing once a model was seen, so that it can be asked on a call's path.
        """
        return self._watch.is_empty()

    def check_published(self, name: str) -> None:
        """Return if a model is published; raises UnknownError or NotReadyError."""
        self._selector.look(name)

    def check_reachable(self) -> None:
        """Return if the store can be read now; raises NotReadyError."""
        self._watch.check_reachable()

    def seen(self) -> dict[str, Seen]:
        """Return each model's refs and store id, as this environment last saw them."""
        return {name: view.seen for name, view in self._watch.views().items()}

    def labelled(self, name: str, label: str) -> int | None:
        """Return the version that a label named when refs were last read. Reads nothing."""
        view = self._watch.view(name)
        return view.refs.labels.get(label) if view else None

    def state(self) -> Environment:
        """Return the state of this environment, by model."""
        # Imported here: only readiness and the probe need it.
        from inference.serving.status import Environment, state_of  # noqa: PLC0415

        views = self._watch.views()
        with self._models.lock:
            models = {
                name: state_of(model, views[name])
                for name, model in self._models.by_name.items()
                if name in views and views[name].identity == model.identity
            }
        return Environment(models, self._budget.used_bytes, self._budget.n_bytes)

    def due(self) -> Due | None:
        """Return why this environment must be restarted; None if it need not be.

        To be called between calls; reads nothing of the store. An environment that can answer is
        due up to half of `max_staleness_s` later.
        """
        return self._pinned_sets.due()

    def answered(self) -> tuple[str, ...]:
        """Return the names of the models that have a warm version."""
        with self._models.lock:
            return self._models.answering()


def _label_meant(version: int | None, label: str | None) -> str | None:
    """Return the label that is meant where neither a split nor a key decides; None for a number."""
    return label or (LATEST if version is None else None)
