"""Routes that run no version: health, models, versions, statistics, the model repository."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar

from inference import errors
from inference.http.call import AnsweredBy
from inference.http.paths import VERSION_PATHS, version_number
from inference.http.responses import json_answer
from inference.protocol.json_codec import read_object
from inference.protocol.responses import render_metadata
from model_store.refs import LATEST, State
from model_store.release import VERSION

if TYPE_CHECKING:
    from collections.abc import Callable

    from aws_lambda_powertools.event_handler import Response

    from inference.http.call import Call
    from inference.http.resolver import OneThreadResolver
    from inference.serving.manager import Described, Manager
    from model_store.refs import Refs

T = TypeVar("T")

EXTENSIONS: Final = [
    "binary_tensor_data",
    "model_configuration",
    "model_repository",
    "statistics",
]
"""The protocol's extensions that are served, by Triton's names."""


class ModelRoutes:
    """Model routes for one thread; `call` is the call in progress in that thread."""

    def __init__(self, manager: Manager, default_model: str | None, call: Call) -> None:
        self._manager = manager
        self._default_model = default_model
        self._call = call

    def register(self, resolver: OneThreadResolver) -> None:
        """Add the routes."""
        resolver.get("/v2")(self._server)
        resolver.get("/v2/health/live")(self._live)
        resolver.get("/v2/health/ready")(self._ready)
        resolver.get("/ping")(self._ready)
        resolver.get("/openapi.json")(self._openapi)
        resolver.get("/v2/models")(self._models)
        resolver.get("/v2/models/stats")(self._all_stats)
        for path in VERSION_PATHS:
            resolver.get(path)(self._model)
            resolver.get(f"{path}/config")(self._config)
            resolver.get(f"{path}/stats")(self._stats)
        resolver.post("/v2/repository/index")(self._index)
        resolver.post("/v2/repository/models/<model>/load")(self._load)
        resolver.post("/v2/repository/models/<model>/unload")(self._unload)

    def check_not_empty(self) -> None:
        """Raise NotReadyError if nothing is published."""
        if self._manager.is_empty():
            raise errors.NotReadyError("nothing is published in the store: publish a model first")

    def look_up(self, find: Callable[[], T]) -> T:
        """Return `find()`. If the store is empty, raise NotReadyError instead of UnknownError."""
        try:
            return find()
        except errors.UnknownError:
            self.check_not_empty()
            raise

    def describe(self, model: str, version: str | None, label: str | None) -> Described:
        """Describe a published version, `latest` by default, and note it as the call's version."""
        found = self.look_up(
            lambda: self._manager.describe(model, version_number(version), label=label)
        )
        via_label = None if version else label or LATEST
        self._call.answered_by = AnsweredBy(model, found.number, via_label)
        return found

    def _server(self) -> Response[str]:
        return json_answer({"name": "coldpress", "version": VERSION, "extensions": EXTENSIONS})

    def _live(self) -> Response[str]:
        # Clients expect both keys. Liveness reads nothing: `ready` is from earlier reads.
        return json_answer({"live": True, "ready": bool(self._manager.seen())})

    def _ready(self) -> Response[str]:
        try:
            self._check_ready()
        except errors.NotReadyError as error:
            return json_answer({"live": True, "ready": False, "error": str(error)}, 503)
        from inference.serving.status import describe_troubles  # noqa: PLC0415 - inference does not need it

        troubles = describe_troubles(self._manager.state())
        ready: dict[str, Any] = {"live": True, "ready": True}
        return json_answer(ready | ({"troubles": troubles} if troubles else {}))

    def _check_ready(self) -> None:
        self._manager.check_reachable()
        try:
            if self._default_model:
                self._manager.check_published(self._default_model)
        except errors.UnknownError:
            self.check_not_empty()
            raise errors.NotReadyError(
                f"the default model {self._default_model!r} is not published"
            ) from None
        self.check_not_empty()

    def _openapi(self) -> Response[str]:
        from inference.http.openapi import load_document  # noqa: PLC0415 - inference does not need it

        return json_answer(load_document())

    def _models(self) -> Response[str]:
        return json_answer({"models": list(self._manager.published())})

    def _model(
        self, model: str, version: str | None = None, label: str | None = None
    ) -> Response[str]:
        found = self.describe(model, version, label)
        return json_answer(render_metadata(model, _available(found.refs), found.signature))

    def _config(
        self, model: str, version: str | None = None, label: str | None = None
    ) -> Response[str]:
        from inference.http.repository import model_config  # noqa: PLC0415 - inference does not need it

        found = self.describe(model, version, label)
        return json_answer(model_config(model, found.signature, _available(found.refs)))

    def _stats(
        self, model: str, version: str | None = None, label: str | None = None
    ) -> Response[str]:
        number = self.look_up(lambda: self._manager.number(model, version_number(version), label))
        self._call.answered_by = AnsweredBy(model, number, None if version else label or LATEST)
        version_filter = None if version is None and label is None else number
        return self._statistics(model, version_filter)

    def _all_stats(self) -> Response[str]:
        return self._statistics()

    def _statistics(self, model: str | None = None, version: int | None = None) -> Response[str]:
        """Answer with each version's counts, its variant, its bytes, and its model's staleness."""
        models = self._manager.state().models
        counted = self._manager.stats.describe(model, version)
        for each in counted:
            state = models.get(each["name"])
            number = int(each["version"])
            each["bytes"] = state.warm.get(number, 0) if state else 0
            each["variant"] = state.variants.get(number) if state else None
            each["staleness_s"] = round(state.staleness_s, 3) if state else 0.0
        return json_answer({"model_stats": counted})

    def _index(self) -> Response[str]:
        from inference.http.repository import index_entries  # noqa: PLC0415 - inference does not need it

        body = self._call.body()
        ready_only = read_object(body).get("ready", False) if body.strip() else False
        if not isinstance(ready_only, bool):
            raise errors.BadRequestError("'ready' is neither true nor false")
        entries: list[dict[str, Any]] = []
        models = self._manager.state().models
        for name in self._manager.published():
            refs = self._manager.refs(name)
            state = models.get(name)
            warm, failed = (state.warm, state.failed) if state else ({}, {})
            entries += index_entries(refs, warm, failed, ready_only=ready_only)
        return json_answer(entries)

    def _load(self, model: str) -> Response[str]:
        resolved = self._manager.resolve(model, label=LATEST, remaining_s=self._call.remaining_s)
        self._call.answered_by = AnsweredBy(model, resolved.loaded.number, resolved.label)
        return json_answer({})

    def _unload(self, model: str) -> Response[str]:
        self._manager.unload(model)
        return json_answer({})


def _available(refs: Refs) -> list[int]:
    return sorted(n for n, entry in refs.versions.items() if entry.state is State.AVAILABLE)
