"""Reads models' refs again and again, and remembers what it saw. Thread-safe.

- Refs are believed for `ref_ttl_s`; past that, one call reads them again, in a helper thread with
  a deadline: a lost NFS server hangs a read, and must not hang the call.
- A read that fails or is overdue changes nothing but the view's age: what is warm goes on, for as
  long as rule 6 (mapped_files.py) lets it.
- A warm reader opens `refs.json` alone. That may be behind for as long as no writer settles, so
  now and then it reads upward, too: only that counts for rule 6.
- A file handle that the server no longer knows (ESTALE) is opened again, once, from the top.
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
    """Returns refs of a model that were read upward before, and when that read began; once."""

T = TypeVar("T")

CHECK_DEADLINE_S: Final = 1.0
"""How long a call waits for refs when it has seen some before."""

COLD_CHECK_DEADLINE_S: Final = 10.0
"""How long it waits when nothing is known of the model yet."""

UPWARD_EVERY_S: Final = 3600.0
"""How often a check reads upward: far more often than rule 6 needs, and nearly free."""


_SAID_OF_A_FILE: Final = frozenset(
    {errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.EINVAL, errno.ENAMETOOLONG}
)
"""Errors of the system that say what stands in the store, and that will say so again."""


class _Model:
    """What is known of one model. Its lock is for whoever changes the view by what it was."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.view: ModelView | None = None
        self.tried_at: Moment | None = None


class RefsWatch:
    """The refs of one store's models. Construction does nothing."""

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
        """Return a model as it is, or was `ref_ttl_s` ago at the most, or could last be seen.

        Raises UnknownError (no such model), NotReadyError (nothing is known of it, and the store
        is out of reach or what it holds is damaged).
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
                raise NotReadyError(self.shown(error)) from error
            logger.warning("refs could not be read; what is warm goes on", model=name, error=error)
            with model.lock:
                model.tried_at = Moment.now()
                view = (model.view or view)._replace(error=self.shown(error))
                model.view = view
                return view
        with model.lock:
            # The check may be one that another call began, for what it then forgot.
            model.view = model.view or checked
            return model.view

    def look_again(self, name: str) -> ModelView:
        """As `look`, reading refs now, however lately they were read."""
        self._model(name).tried_at = None
        return self.look(name)

    def view(self, name: str) -> ModelView | None:
        """A model as it was last seen; None if it never was. Reads nothing."""
        model = self._models.get(name)
        return model.view if model else None

    def views(self) -> dict[str, ModelView]:
        """What was last seen, by model."""
        models = self._models.copy().items()
        return {name: view for name, model in models if (view := model.view)}

    def published(self) -> tuple[str, ...]:
        """Name the models in the store, from a listing of it; raises NotReadyError."""
        return self.bounded("models", lambda: list_models(self._layout))

    def is_empty(self) -> bool:
        """Tell whether nothing is published; raises NotReadyError.

        Once something was, that is believed: this may be asked on a call's path.
        """
        if not self._not_empty:
            # Not `self._models`: a name that is being looked up may be nobody's.
            self._not_empty = bool(self.views()) or self.bounded(
                "any", lambda: has_models(self._layout)
            )
        return not self._not_empty

    def check_reachable(self) -> None:
        """Return if the store can be read now, whatever is warm; raises NotReadyError."""
        self.bounded("store", lambda: read_store_id(self._layout))

    def bounded(self, key: Hashable, work: Callable[[], T]) -> T:
        """Read something else of the store, with a deadline; raises NotReadyError."""
        try:
            return self._calls.run(key, work, COLD_CHECK_DEADLINE_S)
        except StoreError as error:
            raise NotReadyError(self.shown(error)) from error

    def shown(self, error: BaseException) -> str:
        """An error's text as callers may see it: paths are the store's own."""
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
        """Read a model's refs and take them up. Runs in a helper thread; one at a time a model."""
        view = model.view
        if view and self._is_believed(model):
            return view  # who asked for this came just after another check
        if view is None and (found := self._read_early(name)):
            model.view, model.tried_at = found, found.checked_at
            return found
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
        before = view.seen if view else None
        try:
            seen = refresh(self._layout, name, before, upward=upward)
        except StoreError as error:
            if not is_stale_handle(error):
                raise
            upward = True
            seen = refresh(self._layout, name, before, upward=True)
        if view is None or seen.store_id != view.seen.store_id:
            upward = True  # which it then did unasked
        checked = ModelView(seen, started, started if upward or view is None else view.upward_at)
        with model.lock:
            model.view = checked
        return checked

    def _read_early(self, name: str) -> ModelView | None:
        """What was read upward of a model before anyone asked, if that is to be believed yet."""
        found = self._take_seen(name)
        if not found:
            return None
        started, seen = found
        is_old = started.elapsed_s(Moment.now()) >= self._ref_ttl_s
        return None if is_old else ModelView(seen, started, started)

    def _forget(self, model: _Model, name: str) -> None:
        """Drop a model that was not found: names that callers make up must leave nothing."""
        if self._models.get(name) is model:
            del self._models[name]


def is_stale_handle(error: BaseException) -> bool:
    """Whether a file was deleted or replaced on the server while it was open here: ESTALE."""
    return errno.ESTALE in _errnos(error)


def is_unreadable(error: BaseException) -> bool:
    """Whether a file of the store could not be read: not that it is missing, or is no file."""
    return any(number not in _SAID_OF_A_FILE for number in _errnos(error))


def _errnos(error: BaseException) -> Iterator[int]:
    """The numbers of the system's errors of which the store's errors were made."""
    following: BaseException | None = error
    while following is not None:
        cause = following.__cause__
        if isinstance(following, StoreError) and isinstance(cause, OSError) and cause.errno:
            yield cause.errno
        following = cause
