"""Holds what is warm, and keeps it the newest.

A call asks `resolve` for a version. That goes in three steps:

1. *Refs.* They are believed for `ref_ttl_s`; past that, one call reads them again, in a helper
   thread with a deadline: a lost NFS server hangs a read, and must not hang the call. A read that
   fails or is overdue changes nothing: what is warm goes on answering.
2. *Decision.* `policy.decide` says which version answers, and what to load.
3. *Loading.* A new version loads in a thread beside the one that answers. Calls go on; the first
   call after it is warm swaps. A call that has its version keeps it to its end, also when that
   version is let go meanwhile; the memory is freed after the last such call.

Thread-safe: any number of threads may call `resolve`. Each model's state is behind one lock,
which is never held during I/O, loading or a model's run. Threads are daemons, so that neither a
hung mount nor a long load keeps the process from ending.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

from inference import policy
from inference.bounded import BoundedCalls, in_thread
from inference.clock import Moment
from inference.errors import LoadError, NotReadyError, RetiredError, UnknownError
from inference.telemetry import count_load, logger
from model_store.errors import InvalidNameError, NotFoundError, StoreError
from model_store.names import check_model
from model_store.reading import (
    has_models,
    list_models,
    read_store_id,
    read_version,
    refresh,
)
from model_store.refs import LATEST, Refs, State

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable
    from concurrent.futures import Future

    from inference.loader import LoadedVersion
    from model_store.layout import StoreLayout
    from model_store.reading import Seen
    from model_store.refs import VersionEntry
    from model_store.signature import Signature

    Load = Callable[[StoreLayout, str, int, VersionEntry], LoadedVersion]
    Identity = tuple[str, str] | None

T = TypeVar("T")

CHECK_DEADLINE_S: Final = 1.0
"""How long a call waits for refs when something warm can answer it."""

COLD_CHECK_DEADLINE_S: Final = 10.0
"""How long it waits when nothing is known of the model yet."""

LOAD_DEADLINE_S: Final = 25.0
"""How long a call waits for a version to load: less than API Gateway waits for the call (30 s)."""

RETRY_BROKEN_VERSION_S: Final = 30.0
"""How long a version is left alone whose contents failed to load, if refs do not change."""

RETRY_UNREACHABLE_S: Final = 2.0
"""How long it is left alone if it was the store that failed."""


class Resolved(NamedTuple):
    """What answers a call: a warm version, and the label by which it was found, if by one."""

    loaded: LoadedVersion
    label: str | None


class _Failure(NamedTuple):
    at: Moment
    retry_after_s: float
    reason: str


class _Model:
    """One model's state. Its lock guards every field."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.lock = threading.Lock()
        self.seen: Seen | None = None
        self.checked_at: Moment | None = None
        self.warm: dict[int, LoadedVersion] = {}
        self.loads: dict[int, Future[LoadedVersion]] = {}
        self.failures: dict[int, _Failure] = {}
        self.answering: dict[str, int] = {}
        self.asked_by_number: int | None = None


class Manager:
    """What one environment holds of one store. Construction does nothing; calls do the work."""

    def __init__(self, layout: StoreLayout, *, ref_ttl_s: float, load: Load) -> None:
        self._layout = layout
        self._ref_ttl_s = ref_ttl_s
        self._load = load
        self._models: dict[str, _Model] = {}
        self._calls = BoundedCalls()
        self._not_empty = False

    def resolve(self, name: str, version: int | None = None) -> Resolved:
        """Return what answers a call to a model: by number, or by the label `latest`.

        Raises UnknownError (no such model or version), RetiredError, NotReadyError (the store is
        out of reach, or the version does not load). Waits only if nothing warm may answer.
        """
        model = self._refreshed(name)
        label = LATEST if version is None else None
        with model.lock:
            refs, identity = _refs(model), _identity(model)
            wanted = _wanted(refs, version)
            decision = policy.decide(
                wanted=wanted,
                before=model.answering.get(label) if label else None,
                warm=model.warm,
                loading=model.loads,
                refused=_refused(model),
            )
            match decision:
                case policy.Answer(number, load_beside):
                    if load_beside is not None:
                        self._start_load(model, load_beside, refs.versions[load_beside])
                    return _answer(model, number, label)
                case policy.Refuse(number):
                    raise NotReadyError(model.failures[number].reason)
                case policy.Wait(number):
                    loading = self._start_load(model, number, refs.versions[number])
        try:
            loaded = loading.result(LOAD_DEADLINE_S)
        except TimeoutError:
            raise NotReadyError(
                f"version {wanted} of {name!r} is still being loaded: try again"
            ) from None
        except Exception as error:
            raise NotReadyError(self._reason(error, name, wanted)) from error
        with model.lock:
            if _identity(model) == identity:
                # It may have been let go since it was loaded: this call still has it.
                model.warm.setdefault(wanted, loaded)
                if _wanted(_refs(model), version) == wanted:
                    return _answer(model, wanted, label)
                # Refs moved on while it loaded: it answers until the newer one is warm.
                if label and model.answering.get(label) not in model.warm:
                    model.answering[label] = wanted
        return self.resolve(name, version)

    def describe(self, name: str, version: int | None = None) -> tuple[Refs, int, Signature]:
        """Return a model's refs, and the number and signature of one version, loading nothing.

        Raises as `resolve` does. Reads the version's manifest if it is not warm.
        """
        model = self._refreshed(name)
        with model.lock:
            refs = _refs(model)
            number = _wanted(refs, version)
            loaded = model.warm.get(number)
        if loaded:
            return refs, number, loaded.signature
        entry = refs.versions[number]
        manifest = self._bounded(
            ("manifest", name, number), lambda: read_version(self._layout, name, entry)
        )
        return refs, number, manifest.signature

    def published(self) -> tuple[str, ...]:
        """Name the models in the store, from a listing of it; raises NotReadyError."""
        return self._bounded("models", lambda: list_models(self._layout))

    def is_empty(self) -> bool:
        """Tell whether nothing is published; raises NotReadyError.

        Once something was, that is believed: this may be asked on a call's path.
        """
        if not self._not_empty:
            # Not `self._models`: a name that is being looked up may be nobody's.
            self._not_empty = bool(self.seen()) or self._bounded(
                "any", lambda: has_models(self._layout)
            )
        return not self._not_empty

    def check_published(self, name: str) -> None:
        """Return if a model is published; raises UnknownError or NotReadyError."""
        self._refreshed(name)

    def check_reachable(self) -> None:
        """Return if the store can be read now, whatever is warm; raises NotReadyError."""
        self._bounded("store", lambda: read_store_id(self._layout))

    def seen(self) -> dict[str, Seen]:
        """What this environment last saw, by model: the refs, and the store's id."""
        models = self._models.copy().items()
        return {name: seen for name, model in models if (seen := model.seen)}

    def _refreshed(self, name: str) -> _Model:
        """A model whose refs are no older than `ref_ttl_s`, or could not be read again."""
        model = self._models.get(name)
        if model is None:
            try:
                model = self._models.setdefault(check_model(name), _Model(name))
            except InvalidNameError as error:
                raise UnknownError(str(error)) from None
        with model.lock:
            seen = model.seen
            if seen and not self._is_due(model):
                return model
        key = ("refs", name)
        if seen and self._calls.is_under_way(key):
            return model
        deadline_s = CHECK_DEADLINE_S if seen else COLD_CHECK_DEADLINE_S
        try:
            checked = self._calls.run(key, lambda: self._check(model), deadline_s)
            # The check may be one that another call began, for a model that it gave up.
            _take_up(model, checked, only_first=True)
        except NotFoundError as error:
            self._forget(model)
            raise UnknownError(f"no model is named {name!r}") from error
        except StoreError as error:
            if seen is None:
                self._forget(model)
                raise NotReadyError(self._shown(error)) from error
            logger.warning("refs could not be read; what is warm goes on", model=name, error=error)
            with model.lock:
                model.checked_at = Moment.now()
        return model

    def _is_due(self, model: _Model) -> bool:
        checked_at = model.checked_at
        return checked_at is None or checked_at.elapsed_s(Moment.now()) >= self._ref_ttl_s

    def _check(self, model: _Model) -> Seen:
        """Read a model's refs and take them up. Runs in a helper thread; one at a time a model."""
        with model.lock:
            before = model.seen
        seen = refresh(self._layout, model.name, before)
        _take_up(model, seen)
        return seen

    def _start_load(self, model: _Model, number: int, entry: VersionEntry) -> Future[LoadedVersion]:
        """Start loading a version, or join its loading. The model's lock is held."""
        future = model.loads.get(number)
        if future is None:
            identity = _identity(model)
            future = in_thread(
                lambda: self._load_and_take_up(model, number, entry, identity), "coldpress-load"
            )
            model.loads[number] = future
        return future

    def _load_and_take_up(
        self, model: _Model, number: int, entry: VersionEntry, identity: Identity
    ) -> LoadedVersion:
        """Load a version and make it warm, or note why it failed. Runs in a thread of its own."""
        started = Moment.now()
        try:
            loaded = self._load(self._layout, model.name, number, entry)
        except BaseException as error:
            broken = isinstance(error, LoadError)
            retry_after_s = RETRY_BROKEN_VERSION_S if broken else RETRY_UNREACHABLE_S
            reason = self._reason(error, model.name, number)
            failure = _Failure(Moment.now(), retry_after_s, reason)
            with model.lock:
                if _identity(model) == identity:
                    model.loads.pop(number, None)
                    model.failures[number] = failure
            _report_load(model.name, number, started, failure)
            raise
        with model.lock:
            if _identity(model) == identity:
                model.loads.pop(number, None)
                model.warm[number] = loaded
        _report_load(model.name, number, started, None)
        return loaded

    def _bounded(self, key: Hashable, work: Callable[[], T]) -> T:
        try:
            return self._calls.run(key, work, COLD_CHECK_DEADLINE_S)
        except StoreError as error:
            raise NotReadyError(self._shown(error)) from error

    def _forget(self, model: _Model) -> None:
        """Drop a model that was not found: names that callers make up must leave nothing."""
        if self._models.get(model.name) is model:
            del self._models[model.name]

    def _reason(self, error: BaseException, name: str, number: int) -> str:
        if isinstance(error, LoadError | StoreError):
            return self._shown(error)
        return f"version {number} of {name!r} cannot be loaded: {type(error).__name__}: {error}"

    def _shown(self, error: BaseException) -> str:
        """An error's text as callers may see it: paths are the store's own."""
        return str(error).replace(f"{self._layout.root}/", "")


def _take_up(model: _Model, seen: Seen, *, only_first: bool = False) -> None:
    """Make what was read of a model's refs its state; `only_first`: if it has none yet.

    Checks of one model follow each other, so what a check read is never older than what is there.
    """
    with model.lock:
        before = model.seen
        if before and only_first:
            return
        model.checked_at = Moment.now()
        model.seen = seen
        if before and before.store_id == seen.store_id and _same_model(before.refs, seen.refs):
            if before.refs.generation != seen.refs.generation:
                model.failures.clear()
            return
        # Another store, or a model made anew: its numbers mean other versions.
        for held in (model.warm, model.loads, model.answering, model.failures):
            held.clear()


def _same_model(one: Refs, other: Refs) -> bool:
    return one.model_id == other.model_id


def _refs(model: _Model) -> Refs:
    if model.seen is None:
        raise NotReadyError(f"the refs of {model.name!r} were never read")
    return model.seen.refs


def _identity(model: _Model) -> Identity:
    return (model.seen.store_id, model.seen.refs.model_id) if model.seen else None


def _wanted(refs: Refs, version: int | None) -> int:
    """The number that a call means: its own, or the one that `latest` names."""
    number = refs.labels.get(LATEST) if version is None else version
    if number is None:
        raise UnknownError(f"model {refs.model!r} has no version labelled {LATEST!r}")
    entry = refs.versions.get(number)
    if entry is None:
        raise UnknownError(f"model {refs.model!r} has no version {number}")
    if entry.state is not State.AVAILABLE:
        raise RetiredError(f"version {number} of {refs.model!r} is {entry.state}")
    return number


def _refused(model: _Model) -> frozenset[int]:
    """The versions that failed to load too short a time ago to try again."""
    if not model.failures:
        return frozenset()
    now = Moment.now()
    return frozenset(
        number
        for number, failure in model.failures.items()
        if failure.at.elapsed_s(now) < failure.retry_after_s
    )


def _answer(model: _Model, number: int, label: str | None) -> Resolved:
    """Note which version answers, let go of those that no longer do. The lock is held."""
    loaded = model.warm[number]
    if label is None:
        model.asked_by_number = number
    else:
        model.answering[label] = number
    if len(model.warm) > 1:
        for gone in policy.to_free(
            warm=model.warm,
            answering=model.answering.values(),
            asked_by_number=model.asked_by_number,
        ):
            del model.warm[gone]
    return Resolved(loaded, label)


def _report_load(name: str, number: int, started: Moment, failure: _Failure | None) -> None:
    duration_ms = started.elapsed_s(Moment.now()) * 1e3
    count_load(name, duration_ms, failed=failure is not None)
    if failure:
        logger.error("a version failed to load", model=name, version=number, reason=failure.reason)
    else:
        logger.info("a version is warm", model=name, version=number, load_ms=round(duration_ms, 1))
