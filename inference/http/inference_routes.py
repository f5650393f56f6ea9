"""All routes of the HTTP API, and those that run a version: infer, predict, ready.

Routes are thin: protocol/requests.py and the version's pipeline convert bodies to tensors and back,
and serving/manager.py chooses the version. Routes that run nothing are in model_routes.py and
page_routes.py, statuses in responses.py. An error that is not the caller's fault is also logged,
with the request's id. The paths under /v2 are from the Open Inference Protocol ("REST API");
/predict runs a pipeline, and /invocations is the path that SageMaker calls.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl

from inference import errors
from inference.http.call import AnsweredBy, Call
from inference.http.limits import check_outputs
from inference.http.model_routes import ModelRoutes
from inference.http.page_routes import PageRoutes
from inference.http.paths import VERSION_PATHS, version_number
from inference.http.resolver import OneThreadResolver
from inference.http.responses import (
    BINARY,
    JSON,
    body_answer,
    error_response,
    json_answer,
    status_of,
)
from inference.pipeline import Request
from inference.protocol.binary_tensors import LENGTH_HEADER
from inference.protocol.requests import parse_infer_request
from inference.protocol.responses import render_infer_body
from inference.telemetry import logger

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from aws_lambda_powertools.event_handler import Response

    from inference.loading.loaded_version import LoadedVersion, Tensors
    from inference.serving.manager import Manager
    from inference.serving.version_selector import Resolved

ROUTING_KEY: Final = "Coldpress-Routing-Key"
"""Request header: calls with equal values go to the same side of a split."""

_SERVER_FAULT: Final = 500
"""The lowest status of an error that is not the caller's fault."""


class Routes:
    """The routes for one thread; `call` is the call in progress.

    `observe` is called with the version, inputs and outputs of each run in which the caller did
    not name a version number.
    """

    def __init__(
        self,
        manager: Manager,
        default_model: str | None,
        observe: Callable[[LoadedVersion, Tensors, Tensors], None],
    ) -> None:
        self._manager = manager
        self._default_model = default_model
        self._observe = observe
        self.call: Final = Call()
        self._models = ModelRoutes(manager, default_model, self.call)
        self._page = PageRoutes(manager, self._models, self.call)
        self._resolver = OneThreadResolver()
        self._register()

    def answer(self, event: Mapping[str, Any], context: Any, request_id: str) -> dict[str, Any]:
        """Answer one HTTP API event; errors become answers, none is raised."""
        self.call.begin(event, context, request_id)
        return self._resolver.resolve(event, context)

    def _register(self) -> None:
        resolver = self._resolver
        # The resolver tries paths in this order, so the most frequent come first.
        resolver.post("/models/<model>/predict")(self._predict)
        for path in VERSION_PATHS:
            resolver.post(f"{path}/infer")(self._infer)
        resolver.post("/predict")(self._predict_default)
        resolver.post("/invocations")(self._predict_default)
        resolver.post("/models/<model>/versions/<version>/predict")(self._predict)
        resolver.post("/models/<model>/labels/<label>/predict")(self._predict)
        for path in VERSION_PATHS:
            resolver.get(f"{path}/ready")(self._model_ready)
        self._models.register(resolver)
        self._page.register(resolver)
        resolver.not_found(self._no_route)
        resolver.exception_handler(Exception)(self._failed)

    def _model_ready(
        self, model: str, version: str | None = None, label: str | None = None
    ) -> Response[str]:
        resolved = self._resolve(model, version, label)
        return json_answer({"name": resolved.loaded.model, "ready": True})

    def _infer(
        self, model: str, version: str | None = None, label: str | None = None
    ) -> Response[str]:
        loaded = self._resolve(model, version, label).loaded
        self.call.runs = True
        request = parse_infer_request(
            self.call.body(), loaded.signature, json_length=self.call.header(LENGTH_HEADER)
        )
        outputs = loaded.run(request.tensors, request.outputs)
        if version is None:
            self._observe(loaded, request.tensors, outputs)
        coding = self.call.coding()
        check_outputs(outputs, request.binary, compressed=coding is not None)
        body, json_length = render_infer_body(
            outputs,
            model=loaded.model,
            version=loaded.number,
            request_id=request.id,
            binary=request.binary,
        )
        if json_length is None:
            return body_answer(JSON, body, {}, coding)
        return body_answer(BINARY, body, {LENGTH_HEADER: str(json_length)}, coding)

    def _predict_default(self) -> Response[str]:
        if self._default_model is None:
            self._models.check_not_empty()
            raise errors.BadRequestError(
                "there is no default model: call /models/NAME/predict, or set DEFAULT_MODEL"
            )
        return self._predict(self._default_model)

    def _predict(
        self, model: str, version: str | None = None, label: str | None = None
    ) -> Response[str]:
        loaded = self._resolve(model, version, label).loaded
        self.call.runs = True
        query = self.call.event.get("rawQueryString") or ""
        request = Request(
            body=self.call.body(),
            content_type=self.call.header("content-type") or BINARY,
            # The last of repeated parameters; `queryStringParameters` joins them with commas.
            parameters=dict(parse_qsl(query, keep_blank_values=True)),
        )
        observe = partial(self._observe, loaded) if version is None else None
        response = loaded.predict(request, observe)
        return body_answer(response.content_type, response.body, {}, self.call.coding())

    def _resolve(self, model: str, version: str | None, label: str | None) -> Resolved:
        resolved = self._models.look_up(
            lambda: self._manager.resolve(
                model,
                version_number(version),
                label=label,
                routing_key=self.call.header(ROUTING_KEY),
                remaining_s=self.call.remaining_s,
            )
        )
        self.call.answered_by = AnsweredBy(model, resolved.loaded.number, resolved.label)
        return resolved

    def _no_route(self, _: Exception) -> Response[str]:
        event = self._resolver.current_event
        text = f"there is no {event.http_method} {event.path}"
        methods = self._resolver.methods(event.path)
        if not methods:
            error = errors.UnknownError(text)
            return error_response(status_of(error), str(error))
        # RFC 9110, "405 Method Not Allowed": the answer lists the methods that are allowed.
        error = errors.UnknownError(f"{text}: expected {' or '.join(methods)}")
        answer = error_response(405, str(error))
        answer.headers["Allow"] = ", ".join(methods)
        return answer

    def _failed(self, error: Exception) -> Response[str]:
        status = status_of(error)
        if status >= _SERVER_FAULT:
            logger.error(
                "a call failed",
                request_id=self.call.request_id,
                status=status,
                reason=str(error),
                cause=getattr(error, "cause", None),
                exc_info=error,
            )
        is_safe = isinstance(error, errors.ServingError)
        text = str(error) if is_safe else "an internal error: the log has its cause"
        return error_response(status, text)
