"""Holds what is warm, and keeps it the newest.

A call asks `resolve` for a version. That goes in four steps:

1. *Refs.* They are believed for a while and then read again, with a deadline (refs_watch.py). A read
   that fails changes nothing: what is warm goes on answering, for as long as rule 6 lets it.
2. *Which version.* The call's number or label, or by refs `latest` less the split (traffic.py).
3. *Decision.* policy.py says which version answers, and what to load. policy.py knows values
   alone; what is held, by model, is in warm_models.py.
4. *Loading.* A new version loads in the background, beside the one that answers (background_loads.py). Calls
   go on; the first call after it is warm swaps. A call that has its version keeps it to its end,
   also when that version is let go meanwhile; the memory is freed after the last such call.

Thread-safe: any number of threads may call `resolve`. One lock guards all state; it is never held
during I/O, loading or a model's run. Threads are daemons, so that neither a hung mount nor a long
load keeps the process from ending.
"""

from __future__ import annotations

import contextlib
import random
import threading
import time
from concurrent.futures import wait
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple

from inference.errors import (
    LoadError,
    NoMemoryError,
    NotReadyError,
    RetiredError,
    ServingError,
    UnknownError,
)
from inference.process.background import Background
from inference.process.clock import Moment
from inference.serving import policy
from inference.serving.background_loads import BackgroundLoads
from inference.serving.mapped_files import LIMITS, may_run
from inference.serving.quarantine import Fault
from inference.serving.refs_watch import UPWARD_EVERY_S, RefsWatch
from inference.serving.standings import find_forbidden, lease_of
from inference.serving.stats import Stats
from inference.serving.traffic import Wanted, label_of
from inference.serving.warm_models import WarmModel, also_needed
from inference.telemetry import count_swap, logger
from model_store.errors import StoreError
from model_store.reading import read_version
from model_store.refs import LATEST, Refs, State

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Future

    from inference.loading.early_reads import EarlyReads
    from inference.loading.loaded_version import LoadedVersion
    from inference.loading.memory_need import Need
    from inference.serving.background_loads import Load, Pinned
    from inference.serving.recycling_policy import Conflict, Due
    from inference.serving.refs_watch import ModelView
    from inference.serving.status import Environment
    from model_store.digests import Digest
    from model_store.layout import StoreLayout
    from model_store.reading import Seen
    from model_store.refs import VersionEntry
    from model_store.signature import Signature

LOAD_DEADLINE_S: Final = 25.0
"""How long a call waits for a version to load: less than API Gateway waits for the call (30 s)."""


class Resolved(NamedTuple):
    """What answers a call: a warm version, and the label by which it was found, if by one.

    `took_over`: it is the first call for that label that it answers instead of another version.
    """

    loaded: LoadedVersion
    label: str | None
    took_over: bool = False


class Described(NamedTuple):
    """What is published of a model: its refs, and what one version takes and gives."""

    refs: Refs
    number: int
    signature: Signature
    has_pipeline: bool


class _Call(NamedTuple):
    """One call: `point` decides where a split sends it; it waits until `give_up_s`."""

    model: str
    point: float
    give_up_s: float
    remaining_s: float


class Manager:
    """What one environment holds of one store. Construction does nothing; calls do the work.

    `load` loads one version (loader.load_version). `budget_bytes` is what all versions together
    may take, None for no limit. Work that no call waits for goes to `background`. `draw` gives
    numbers from 0 up to, not including, 1, for splits.
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
        early: EarlyReads | None = None,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self._layout = layout
        self._max_staleness_s = max_staleness_s
        self._draw = draw
        self._outlived: dict[Digest, Moment] = {}
        self._conflicts: dict[Pinned, Conflict] = {}
        self._wait_s = random.uniform(0.0, max_staleness_s / 2)  # noqa: S311 - no secret
        self._lock = threading.Lock()
        self._models: dict[str, WarmModel] = {}
        self._watch = RefsWatch(layout, ref_ttl_s=ref_ttl_s, early=early)
        self._background = background or Background()
        self.stats: Final = Stats()
        self._loads = BackgroundLoads(
            layout,
            self._watch,
            self._background,
            self._lock,
            self._models,
            load=partial(self._load, load),
            budget_bytes=budget_bytes,
            stats=self.stats,
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
        """Return what answers a call to a model: by number, by label, or as refs split calls.

        `remaining_s` is how long the call may go on using it. Raises UnknownError (no such model,
        version or label), RetiredError, NoMemoryError, NotReadyError (the store is out of reach,
        or the version does not load). Waits only if nothing warm may answer.
        """
        wanted = Wanted(version, label, routing_key)
        call = _Call(name, self._draw(), time.monotonic() + LOAD_DEADLINE_S, remaining_s)
        try:
            resolved = self._resolve(call, wanted)
        except (NotReadyError, NoMemoryError, RetiredError):
            view = self._look(name)
            if version is not None or label is not None or not view.refs.split:
                raise
            # What a split sends elsewhere must not fail where `latest` can answer.
            resolved = self._resolve(call, wanted._replace(label=LATEST))
        if resolved.took_over:
            count_swap(name)
        return resolved

    def _resolve(self, call: _Call, wanted: Wanted) -> Resolved:
        while True:
            view = self._look(call.model)
            self._look_at_sets()
            with self._lock:
                model = self._held(call.model, view)
                if model is None:
                    continue
                label = self._label(model, view, wanted, call.point)
                number = _number(view.refs, wanted.version, label)
                situation = self._situation(model, view, number, label, call.remaining_s)
                match policy.decide(situation):
                    case policy.Keep(answering) | policy.Swap(answering):
                        return self._answer(model, answering, label, view)
                    case policy.LoadBeside(answering, load):
                        self._loads.start(model, load, view, beside=True)
                        return self._answer(model, answering, label, view)
                    case policy.Quarantine():
                        raise _failed(model, view.refs.versions[number])
                    case policy.Forbidden():
                        raise _forbidden(view, number)
                    case policy.Load(load, instead):
                        loading = self._loads.start(model, load, view, beside=instead is not None)
                        if label is None:
                            model.asked_by_number = load  # so that no other call lets it go
            resolved = self._wait(call, model, load, label, loading, instead)
            if resolved is not None:
                return resolved

    def _wait(
        self,
        call: _Call,
        model: WarmModel,
        number: int,
        label: str | None,
        loading: Future[LoadedVersion],
        instead: int | None,
    ) -> Resolved | None:
        """Wait for a load, and answer with it, or `instead`; None where to decide anew."""
        found = self._loads.wait(loading, call.give_up_s, call.model, number)
        with self._lock:
            view = self._watch.view(call.model)
            if view is None or self._models.get(call.model) is not model:
                return None  # another store, or the model made anew
            if not isinstance(found, ServingError):
                return self._answer_loaded(model, found, label, view)
            if instead in model.warm:
                return self._answer(model, instead, label, view)
            before = model.answering.get(label) if label else None
            if loading.done() and before not in {None, number}:
                return None  # the one before went to make room: it may come back
        raise found

    def describe(
        self, name: str, version: int | None = None, *, label: str | None = None
    ) -> Described:
        """Return a model's refs, and what one version takes and gives, loading nothing.

        Raises as `resolve` does. Reads the version's manifest if it is not warm.
        """
        view = self._look(name)
        refs = view.refs
        number = _number(refs, version, _named(version, label))
        with self._lock:
            model = self._held(name, view)
            warm = model.warm.get(number) if model else None
        if warm:
            loaded = warm.loaded
            return Described(refs, number, loaded.signature, loaded.pipeline is not None)
        entry = refs.versions[number]
        manifest = self._watch.bounded(
            ("manifest", name, number), lambda: read_version(self._layout, name, entry)
        )
        has_pipeline = manifest.content.pipeline_file is not None
        return Described(refs, number, manifest.signature, has_pipeline)

    def preload(self, names: Sequence[str], budget_s: float) -> None:
        """Begin loading what models' `latest` names, and wait for it, for so long altogether.

        What fails is logged, and is an error of the calls that need it.
        """
        end_s = time.monotonic() + budget_s
        begun = [
            self._background.start(partial(self._preload, name), "coldpress-preload")
            for name in names
        ]
        ended, _ = wait(begun, budget_s)
        loads = [loading for each in ended if (loading := each.result()) is not None]
        wait(loads, max(end_s - time.monotonic(), 0.0))

    def _preload(self, name: str) -> Future[LoadedVersion] | None:
        """Begin to load a model's `latest`. In a thread of its own: the store may hang."""
        try:
            view = self._look(name)
            number = _number(view.refs, None, LATEST)
        except ServingError as error:
            logger.error("a model cannot be loaded ahead", model=name, reason=str(error))
            return None
        with self._lock:
            model = self._held(name, view)
            if model is None or number in model.warm:
                return None
            return self._loads.start(model, number, view, beside=False)

    def number(self, name: str, version: int | None, label: str | None) -> int:
        """The version that a number or a label means, `latest` without either, reading no manifest.

        Raises UnknownError, RetiredError, NotReadyError.
        """
        return _number(self._look(name).refs, version, _named(version, label))

    def refs(self, name: str) -> Refs:
        """A model's refs, as fresh as calls see them; raises UnknownError, NotReadyError."""
        return self._look(name).refs

    def unload(self, name: str) -> None:
        """Let go of a model's versions in this environment; the next call loads again.

        Raises UnknownError, NotReadyError. Calls under way keep what they have.
        """
        view = self._look(name)
        with self._lock:
            model = self._held(name, view)
            if model is not None:
                self._loads.let_go(model.take_all())
                model.answering.clear()
                model.current_at.clear()

    def published(self) -> tuple[str, ...]:
        """Name the models in the store, from a listing of it; raises NotReadyError."""
        return self._watch.published()

    def is_empty(self) -> bool:
        """Tell whether nothing is published; raises NotReadyError.

        Once something was, that is believed: this may be asked on a call's path.
        """
        return self._watch.is_empty()

    def check_published(self, name: str) -> None:
        """Return if a model is published; raises UnknownError or NotReadyError."""
        self._look(name)

    def check_reachable(self) -> None:
        """Return if the store can be read now, whatever is warm; raises NotReadyError."""
        self._watch.check_reachable()

    def seen(self) -> dict[str, Seen]:
        """What this environment last saw, by model: the refs, and the store's id."""
        return {name: view.seen for name, view in self._watch.views().items()}

    def labelled(self, name: str, label: str) -> int | None:
        """The version that a label named when refs were last read; None if none. Reads nothing."""
        view = self._watch.view(name)
        return view.refs.labels.get(label) if view else None

    def state(self) -> Environment:
        """What this environment holds now, model by model, and what keeps it from the newest."""
        # Imported here: only readiness and the probe ask for it.
        from inference.serving.status import Environment, state_of  # noqa: PLC0415

        views = self._watch.views()
        with self._lock:
            models = {
                name: state_of(model, views[name])
                for name, model in self._models.items()
                if name in views and views[name].identity == model.identity
            }
        return Environment(models, self._loads.used_bytes, self._loads.budget_bytes)

    def due(self) -> Due | None:
        """Why this environment must start anew, if it must, for what it imported from package sets.

        To be asked between calls; reads nothing. Where something answers meanwhile, it is a while
        before it is due: up to half of what callers accept of staleness.
        """
        pinned = self._loads.pinned
        if not pinned:
            return None
        # Imported here: few environments import from a package set.
        from inference.serving import recycling_policy as recycling  # noqa: PLC0415

        with self._lock:
            now, look = Moment.now(), self._watch.view
            outlived = recycling.find_outlived(pinned, look)
            self._outlived = {each: self._outlived.get(each, now) for each in outlived}
            return recycling.find_due(
                self._conflicts.values(),
                self._outlived,
                pinned,
                look,
                now,
                wait_s=self._wait_s,
                answered=self._answered(),
            )

    def _load(
        self,
        load: Load,
        layout: StoreLayout,
        name: str,
        number: int,
        entry: VersionEntry,
        make_room: Callable[[Need], None] | None,
    ) -> LoadedVersion:
        """Load a version; what does not load for a package set in use is noted."""
        try:
            return load(layout, name, number, entry, make_room)
        except LoadError:
            if self._loads.pinned:
                self._note_conflict(name, number, entry)
            raise

    def _note_conflict(self, name: str, number: int, entry: VersionEntry) -> None:
        # Imported here: few environments import from a package set.
        from inference.package_sets.conflicts import find_in_the_way  # noqa: PLC0415
        from inference.serving.recycling_policy import Conflict  # noqa: PLC0415

        view = self._watch.view(name)
        in_the_way: tuple[Digest, ...] = ()
        with contextlib.suppress(StoreError):  # the next try finds it
            in_the_way = find_in_the_way(self._layout, name, entry, [*self._loads.pinned])
        if view is None or not in_the_way:
            return
        version = (name, view.identity, number)
        with self._lock:
            before = self._conflicts.get(version)
            noticed = before.noticed if before else Moment.now()
            self._conflicts[version] = Conflict(version, in_the_way, noticed)

    def answered(self) -> tuple[str, ...]:
        """Name the models that something warm answers for."""
        with self._lock:
            return self._answered()

    def _answered(self) -> tuple[str, ...]:
        return tuple(name for name, model in self._models.items() if model.warm)

    def _look(self, name: str) -> ModelView:
        try:
            return self._watch.look(name)
        except UnknownError:
            with self._lock:
                model = self._models.pop(name, None)
                if model is not None:
                    self.stats.forget(name)
                    self._loads.let_go(model.take_all())
            raise

    def _look_at_sets(self) -> None:
        """Look at the models whose package sets this process has: all sessions lean on their refs.

        There may be no call for them by which they would be looked at.
        """
        for name in self._loads.pinning:
            view = self._watch.view(name)
            # One that is gone would be looked for at every call.
            if view and view.upward_at.elapsed_s(Moment.now()) >= UPWARD_EVERY_S:
                with contextlib.suppress(ServingError):
                    self._watch.look(name)

    def _held(self, name: str, view: ModelView) -> WarmModel | None:
        """What is held of a model as it was seen; None if it was seen anew meanwhile."""
        model = self._models.get(name)
        known = model if model is not None and model.identity == view.identity else None
        if known is None or known.generation > view.refs.generation:
            # By an older view than another call's, what was just loaded would be let go again.
            current = self._watch.view(name)
            if current is None or not current.is_of_same_refs(view):
                return None
        if known is None:
            if model is not None:
                # Another store, or a model made anew: its numbers mean other versions.
                self.stats.forget(name)
                self._loads.let_go(model.take_all())
            known = self._models[name] = WarmModel(name, view.identity)
        if view.refs.generation > known.generation:
            known.take_up(view.refs)
            self._load_also(known, view)
        return known

    def _label(self, model: WarmModel, view: ModelView, wanted: Wanted, point: float) -> str | None:
        """The label by which a call finds its version. The lock is held.

        What a split sends elsewhere does not wait there: `latest` answers while that loads.
        """
        label = label_of(view.refs, wanted, point)
        if label in {None, LATEST, wanted.label} or model.can_answer(label, view):
            return label
        if not model.can_answer(LATEST, view):
            return label
        self._load_also(model, view)
        return LATEST

    def _load_also(self, model: WarmModel, view: ModelView) -> None:
        """Load what a split or the shadow names before a call needs it; not in a cold start."""
        for label in also_needed(view.refs) if model.warm else ():
            number = view.refs.labels[label]
            is_out = model.is_out(number, view.refs, something_answers=True)
            if number not in model.warm and not is_out:
                self._loads.start(model, number, view, beside=True)

    def _situation(
        self, model: WarmModel, view: ModelView, number: int, label: str | None, remaining_s: float
    ) -> policy.Situation:
        """What the policy looks at for one call. The lock is held."""
        before = model.before(label, number, view)
        warm = model.warm
        failed = [
            each
            for each in (number, before)
            if each is not None
            and each not in warm
            and model.is_out(each, view.refs, something_answers=before in warm)
        ]
        return policy.Situation(
            wanted=number,
            before=before,
            warm=warm,
            loading=model.loads,
            failed=failed,
            forbidden=frozenset(
                find_forbidden(
                    model, view, (number, before), remaining_s, self._loads.pinned, self._watch.view
                )
            ),
            untried=(number,) if number in warm and not warm[number].is_tried else (),
            is_overdue=before != number and model.is_overdue(label, self._max_staleness_s),
        )

    def _answer(
        self, model: WarmModel, number: int, label: str | None, view: ModelView
    ) -> Resolved:
        """Note which version answers, let go of those that no longer do. The lock is held."""
        took_over = model.answer(number, label, view)
        if took_over:
            self.stats.swapped(model.name, number)
        loaded = model.warm[number].loaded
        self._loads.let_go(model.take_unneeded(view.refs))
        self._loads.follow(model, number, view)
        return Resolved(loaded, label, took_over)

    def _answer_loaded(
        self, model: WarmModel, loaded: LoadedVersion, label: str | None, view: ModelView
    ) -> Resolved:
        """Answer with what the call waited for. The lock is held.

        It was right when the call came. Meanwhile refs may have moved on, and it may have been
        let go: this call has it all the same, and changes nothing for others.
        """
        is_current = label is None or view.refs.labels.get(label) == loaded.number
        answers_nobody = label is not None and model.answering.get(label) not in model.warm
        if loaded.number in model.warm and (is_current or answers_nobody):
            return self._answer(model, loaded.number, label, view)
        return Resolved(loaded, label)


def _named(version: int | None, label: str | None) -> str | None:
    """The label that is meant where neither a split nor a key decides; None for a number."""
    return label or (LATEST if version is None else None)


def _number(refs: Refs, version: int | None, label: str | None) -> int:
    """The number that a call means: its own, or the one that its label names."""
    number = refs.labels.get(label) if label is not None else version
    if number is None:
        raise UnknownError(f"model {refs.model!r} has no version labelled {label!r}")
    entry = refs.versions.get(number)
    if entry is None:
        raise UnknownError(f"model {refs.model!r} has no version {number}")
    if entry.state is not State.AVAILABLE:
        raise RetiredError(f"version {number} of {refs.model!r} is {entry.state}")
    return number


def _forbidden(view: ModelView, number: int) -> NotReadyError:
    what = f"version {number} of {view.refs.model!r} may not run now"
    if may_run([lease_of(view, number)], Moment.now(), 0.0):
        return NotReadyError(
            f"{what}: this environment imported from a package set that no version in service "
            "is known to need, so that it may be about to be deleted: it must start anew"
        )
    return NotReadyError(
        f"{what}: its refs were not read for too long, so its files may be about to be deleted"
    )


def _failed(model: WarmModel, entry: VersionEntry) -> ServingError:
    failure = model.failures[str(entry.digest)]
    kind = NoMemoryError if failure.fault is Fault.MEMORY else NotReadyError
    return kind(failure.reason)
