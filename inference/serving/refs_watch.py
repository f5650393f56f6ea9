"""Read models' refs when they are due, and keep the newest view of each model. Thread-safe.

- Refs are believed for `ref_ttl_s`. After that, one call reads them again, in a helper thread with
  a deadline: a lost NFS server hangs a read, and must not hang the call.
- A read that fails or passes its deadline changes nothing but the view's error: warm versions
  answer for as long as rule 6 (mapped_files.py) allows.
- Most reads open `refs.json` alone. It may be stale until the next writer settles, so once an hour
  refs are read upward, too: only such a read counts for rule 6.
- If the server no longer knows a file's handle (ESTALE), refs are read upward once more.
"""

from __future__ import annotations

import errno
import threading
from typing import TYPE_CHECKING, Final, TypeVar

from inference.errors import NotReadyError, UnknownError
from inference.process.clock import Moment
from inference.process.deadline_calls import DeadlineCalls
from inference.serving.view import ModelView
from inference.telemetry import logger
from model_store.errors import InvalidNameError, NotFoundError, StoreError
from model_store.names import check_model
from model_store.reading import has_models, list_models, read_store_id, refresh

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator

    from model_store.layout import StoreLayout
    from model_store.reading import Seen

    TakeSeen = Callable[[str], tuple[Moment, Seen] | None]
    """Returns a model's refs that were read upward at INIT, and when that read began; once."""

T = TypeVar("T")

CHECK_DEADLINE_S: Final = 1.0
"""Seconds that a call waits for refs of a model that was seen before."""

COLD_CHECK_DEADLINE_S: Final = 10.0
"""Seconds that a call waits for refs of a model that was never seen."""

UPWARD_EVERY_S: Final = 3600.0
"""Seconds between upward reads: far more often than rule 6 needs, and nearly free."""

_FACTS_OF_A_FILE: Final = frozenset(
    {errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.EINVAL, errno.ENAMETOOLONG}
)
"""System errors that state what is in the store: another read would fail in the same way."""


class _Model:
    """The view of one model. `lock` is held to change the view depending on its value."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.view: ModelView | None = None
        self.tried_at: Moment | None = None


class RefsWatch:
    """The views of one store's models. Construction reads nothing."""

    def __init__(
        self, layout: StoreLayout, *, ref_ttl_s: float, take_seen: TakeSeen = lambda _name: None
    ) -> None:
        self._layout = layout
        self._take_seen = take_seen
        self._ref_ttl_s = ref_ttl_s
        self._models: dict[str, _Model] = {}
        self._calls = DeadlineCalls()
        self._not_empty = False

    def look(self, name: str) -> ModelView:
        """Return a view of a model that is at most `ref_ttl_s` old, or the newest one there is.

        Raises UnknownError (no such model), NotReadyError (the model was never seen, and the store
        is out of reach or its refs are damaged).
        """
        model = self._model(name)
        view = model.view
        if view and self._is_believed(model):
            return view
        key = ("refs", name)
        if view and self._calls.is_in_progress(key):
            return view
        deadline_s = CHECK_DEADLINE_S if view else COLD_CHECK_DEADLINE_S
        try:
            checked = self._calls.run(key, lambda: self._check(model, name), deadline_s)
        except NotFoundError as error:
            self._forget(model, name)
            raise UnknownError(f"no model is named {name!r}") from error
        except StoreError as error:
            if view is None:
                self._forget(model, name)
                raise NotReadyError(self.public_text(error)) from error
            logger.warning(
                "refs could not be read; warm versions go on answering", model=name, error=error
            )
            with model.lock:
                model.tried_at = Moment.now()
                view = (model.view or view)._replace(error=self.public_text(error))
                model.view = view
                return view
        with model.lock:
            # Another call may have started the check, and then forgotten the model.
            model.view = model.view or checked
            return model.view

    def look_again(self, name: str) -> ModelView:
        """Return a view as `look` does, reading refs now even if they are still believed."""
        self._model(name).tried_at = None
        return self.look(name)

    def view(self, name: str) -> ModelView | None:
        """Return a model as it was last seen; None if it never was. Reads nothing."""
        model = self._models.get(name)
        return model.view if model else None

    def views(self) -> dict[str, ModelView]:
        """Return the models as they were last seen, by name. Reads nothing."""
        models = self._models.copy().items()
        return {name: view for name, model in models if (view := model.view)}

    def published(self) -> tuple[str, ...]:
        """List the models in the store; raises NotReadyError."""
        return self.run_bounded("models", lambda: list_models(self._layout))

    def is_empty(self) -> bool:
        """Return True if no model is published; raises NotReadyError.

        Reads nothing once a model was seen, so that it can be asked on a call's path.
        """
        if not self._not_empty:
            # Not `self._models`: a name that is being looked up may be of no model.
            self._not_empty = bool(self.views()) or self.run_bounded(
                "any", lambda: has_models(self._layout)
            )
        return not self._not_empty

    def check_reachable(self) -> None:
        """Return if the store can be read now; raises NotReadyError."""
        self.run_bounded("store", lambda: read_store_id(self._layout))

    def run_bounded(self, key: Hashable, work: Callable[[], T]) -> T:
        """Run another read of the store, with a deadline; raises NotReadyError.

        `key`: calls with the same key share one read.
        """
        try:
            return self._calls.run(key, work, COLD_CHECK_DEADLINE_S)
        except StoreError as error:
            raise NotReadyError(self.public_text(error)) from error

    def public_text(self, error: BaseException) -> str:
        """Return an error's text for callers: with paths relative to the store."""
        return str(error).replace(f"{self._layout.root}/", "")

    def _model(self, name: str) -> _Model:
        model = self._models.get(name)
        if model is None:
            try:
                model = self._models.setdefault(check_model(name), _Model())
            except InvalidNameError as error:
                raise UnknownError(str(error)) from None
        return model

    def _check(self, model: _Model, name: str) -> ModelView:
        """Read a model's refs and store the view, in a helper thread; one at a time per model."""
        view = model.view
        if view and self._is_believed(model):
            return view  # another check has just ended
        if view is None and (early := self._early_view(name)):
            model.view, model.tried_at = early, early.checked_at
            return early
        try:
            return self._read(model, name, view)
        finally:
            model.tried_at = Moment.now()

    def _is_believed(self, model: _Model) -> bool:
        tried_at = model.tried_at
        return tried_at is not None and tried_at.elapsed_s(Moment.now()) < self._ref_ttl_s

    def _read(self, model: _Model, name: str, view: ModelView | None) -> ModelView:
        started = Moment.now()
        upward = view is None or view.upward_at.elapsed_s(started) >= UPWARD_EVERY_S
        previous = view.seen if view else None
        try:
            seen = refresh(self._layout, name, previous, upward=upward)
        except StoreError as error:
            if not is_stale_handle(error):
                raise
            upward = True
            seen = refresh(self._layout, name, previous, upward=True)
        if view is None or seen.store_id != view.seen.store_id:
            upward = True  # `refresh` reads upward by its own choice then
        checked = ModelView(seen, started, started if upward or view is None else view.upward_at)
        with model.lock:
            model.view = checked
        return checked

    def _early_view(self, name: str) -> ModelView | None:
        """Return the view that was read at INIT, if it is still to be believed."""
        early = self._take_seen(name)
        if not early:
            return None
        started, seen = early
        is_old = started.elapsed_s(Moment.now()) >= self._ref_ttl_s
        return None if is_old else ModelView(seen, started, started)

    def _forget(self, model: _Model, name: str) -> None:
        """Drop a model that was not found: names that callers make up must not use memory."""
        if self._models.get(name) is model:
            del self._models[name]


def is_stale_handle(error: BaseException) -> bool:
    """Return True if a file was deleted or replaced on the server while open here: ESTALE."""
    return errno.ESTALE in _errnos(error)


def is_unreadable(error: BaseException) -> bool:
    """Return True if a file of the store could not be read, not if it is missing or no file."""
    return any(number not in _FACTS_OF_A_FILE for number in _errnos(error))


def _errnos(error: BaseException) -> Iterator[int]:
    """Yield the system error numbers that caused a StoreError in the error's chain of causes."""
    link: BaseException | None = error
    while link is not None:
        cause = link.__cause__
        if isinstance(link, StoreError) and isinstance(cause, OSError) and cause.errno:
            yield cause.errno
        link = cause
