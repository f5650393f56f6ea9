"""Select the warm version that answers a call, and start loading what is missing.

policy.py decides; this module gives it the situation, under the lock of the warm models, and does
what it decided. What was decided before a wait may be stale after it, so the call is decided again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from inference.errors import NoMemoryError, NotReadyError, RetiredError, ServingError, UnknownError
from inference.process.clock import Moment
from inference.serving import policy
from inference.serving.mapped_files import find_forbidden, lease_of, may_run
from inference.serving.quarantine import Fault
from inference.serving.traffic import Wanted, label_of
from inference.serving.warm_models import WarmModel, preloaded_labels
from model_store.refs import LATEST, Refs, State

if TYPE_CHECKING:
    from concurrent.futures import Future

    from inference.loading.loaded_version import LoadedVersion
    from inference.serving.background_loads import BackgroundLoads
    from inference.serving.pinned_sets import PinnedSets
    from inference.serving.refs_watch import RefsWatch
    from inference.serving.stats import Stats
    from inference.serving.view import ModelView
    from inference.serving.warm_models import WarmModels
    from model_store.refs import VersionEntry


class Resolved(NamedTuple):
    """The warm version that answers a call.

    `label`: the label that the version was found by; None for a call by number. `took_over`: this
    is the first call for that label that this version answers instead of another one.
    """

    loaded: LoadedVersion
    label: str | None
    took_over: bool = False


class Call(NamedTuple):
    """One call.

    - `point`: a number from 0 up to, not including, 1; it decides where a split sends the call.
    - `give_up_s`: when to stop waiting for a load, on the monotonic clock.
    - `remaining_s`: for how many seconds the call may use its version.
    """

    model: str
    point: float
    give_up_s: float
    remaining_s: float


class VersionSelector:
    """The selection of versions in one environment. Thread-safe; its state is that of `models`."""

    def __init__(
        self,
        watch: RefsWatch,
        models: WarmModels,
        pinned_sets: PinnedSets,
        loads: BackgroundLoads,
        *,
        stats: Stats,
        max_staleness_s: float,
    ) -> None:
        self._watch = watch
        self._models = models
        self._pinned_sets = pinned_sets
        self._loads = loads
        self._stats = stats
        self._max_staleness_s = max_staleness_s

    def select(self, call: Call, wanted: Wanted) -> Resolved:
        """Return the version that answers a call; wait for a load only if nothing warm may answer.

        Raises UnknownError, RetiredError, NoMemoryError, NotReadyError.
        """
        while True:
            view = self.look(call.model)
            self._pinned_sets.refresh_refs()
            with self._models.lock:
                model = self.current(call.model, view)
                if model is None:
                    continue
                label = self._label(model, view, wanted, call.point)
                number = find_number(view.refs, wanted.version, label)
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
                            model.called_by_number = load  # so that no other call unloads it
            resolved = self._wait(call, model, load, label, loading, instead)
            if resolved is not None:
                return resolved

    def look(self, name: str) -> ModelView:
        """Return a model by fresh refs, and drop its versions if it is gone. Takes the lock.

        Raises UnknownError, NotReadyError.
        """
        try:
            return self._watch.look(name)
        except UnknownError:
            with self._models.lock:
                model = self._models.by_name.pop(name, None)
                if model is not None:
                    self._stats.forget(name)
                    self._loads.drop(model.remove_all())
            raise

    def current(self, name: str, view: ModelView) -> WarmModel | None:
        """Return a model's state with the refs of `view` applied. The caller holds the lock.

        None if another call has read newer refs since `view`.
        """
        known = self._models.by_name.get(name)
        model = known if known is not None and known.identity == view.identity else None
        if model is None or model.generation > view.refs.generation:
            # By an older view than another call's, what was just loaded would be unloaded.
            newest = self._watch.view(name)
            if newest is None or not newest.is_of_same_refs(view):
                return None
        if model is None:
            if known is not None:
                # Another store, or a model published again: its numbers mean other versions.
                self._stats.forget(name)
                self._loads.drop(known.remove_all())
            model = self._models.by_name[name] = WarmModel(name, view.identity)
        if view.refs.generation > model.generation:
            model.apply_refs(view.refs)
            self._load_preloaded(model, view)
        return model

    def _wait(
        self,
        call: Call,
        model: WarmModel,
        number: int,
        label: str | None,
        loading: Future[LoadedVersion],
        instead: int | None,
    ) -> Resolved | None:
        """Wait for a load, and answer with its version, or `instead`; None: decide again."""
        outcome = self._loads.wait(loading, call.give_up_s, call.model, number)
        with self._models.lock:
            view = self._watch.view(call.model)
            if view is None or not self._models.is_current(model):
                return None  # another store, or a model published again
            if not isinstance(outcome, ServingError):
                return self._answer_loaded(model, outcome, label, view)
            if instead in model.warm:
                return self._answer(model, instead, label, view)
            previous = model.answering.get(label) if label else None
            if loading.done() and previous not in {None, number}:
                return None  # the previous version was evicted to make room: it may come back
        raise outcome

    def _label(self, model: WarmModel, view: ModelView, wanted: Wanted, point: float) -> str | None:
        """Return the label by which a call finds its version. The caller holds the lock.

        A call that a split sends elsewhere does not wait there: `latest` answers during the load.
        """
        label = label_of(view.refs, wanted, point)
        if label in {None, LATEST, wanted.label} or model.can_answer(label, view):
            return label
        if not model.can_answer(LATEST, view):
            return label
        self._load_preloaded(model, view)
        return LATEST

    def _load_preloaded(self, model: WarmModel, view: ModelView) -> None:
        """Load what a split or the shadow names before a call needs it; not in a cold start."""
        for label in preloaded_labels(view.refs) if model.warm else ():
            number = view.refs.labels[label]
            is_out = model.is_out(number, view.refs, something_answers=True)
            if number not in model.warm and not is_out:
                self._loads.start(model, number, view, beside=True)

    def _situation(
        self, model: WarmModel, view: ModelView, number: int, label: str | None, remaining_s: float
    ) -> policy.Situation:
        """Return what the policy decides on for one call. The caller holds the lock."""
        previous = model.previous(label, number, view)
        warm = model.warm
        failed = [
            each
            for each in (number, previous)
            if each is not None
            and each not in warm
            and model.is_out(each, view.refs, something_answers=previous in warm)
        ]
        set_leases = self._pinned_sets.leases()
        return policy.Situation(
            wanted=number,
            previous=previous,
            warm=warm,
            loading=model.loads,
            failed=failed,
            forbidden=frozenset(
                find_forbidden(model, view, (number, previous), remaining_s, set_leases)
            ),
            untried=(number,) if number in warm and not warm[number].is_tried else (),
            is_overdue=previous != number and model.is_overdue(label, self._max_staleness_s),
        )

    def _answer(
        self, model: WarmModel, number: int, label: str | None, view: ModelView
    ) -> Resolved:
        """Record which version answers, and drop unneeded ones. The caller holds the lock."""
        took_over = model.answer(number, label, view)
        if took_over:
            self._stats.swapped(model.name, number)
        loaded = model.warm[number].loaded
        self._loads.drop(model.remove_unneeded(view.refs))
        self._loads.start_replacement(model, number, view)
        return Resolved(loaded, label, took_over)

    def _answer_loaded(
        self, model: WarmModel, loaded: LoadedVersion, label: str | None, view: ModelView
    ) -> Resolved:
        """Answer with the version that the call waited for. The caller holds the lock.

        The version was right when the call came. If refs have changed since, or the version was
        unloaded, it answers this call nevertheless, and nothing changes for other calls.
        """
        is_current = label is None or view.refs.labels.get(label) == loaded.number
        is_label_cold = label is not None and model.answering.get(label) not in model.warm
        if loaded.number in model.warm and (is_current or is_label_cold):
            return self._answer(model, loaded.number, label, view)
        return Resolved(loaded, label)


def find_number(refs: Refs, version: int | None, label: str | None) -> int:
    """Return the number that a label names, else `version`, if that version is in service.

    Raises UnknownError, RetiredError.
    """
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
            f"{what}: this environment imported from a package set that no version in service is "
            "known to need, so its files may be about to be deleted: it must be restarted"
        )
    return NotReadyError(
        f"{what}: its refs were not read for too long, so its files may be about to be deleted"
    )


def _failed(model: WarmModel, entry: VersionEntry) -> ServingError:
    failure = model.failures[str(entry.digest)]
    kind = NoMemoryError if failure.fault is Fault.MEMORY else NotReadyError
    return kind(failure.reason)
