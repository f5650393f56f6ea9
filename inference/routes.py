"""The HTTP surface: routes, statuses and bodies. The one place that knows about them.

Routes are thin: protocol.py and the version's pipeline turn bodies into tensors and back,
manager.py says which version answers. Every error is `{"error": "<text>"}`, its text one line;
what is not the caller's fault is also logged, with the request's id. The Open Inference Protocol
addresses are its own ("REST API"); /predict is for people.
"""

from __future__ import annotations

import base64
import json
import re
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import parse_qsl

from aws_lambda_powertools.event_handler import Response

from inference import errors
from inference.binary import LENGTH_HEADER
from inference.bounds import LIMITS
from inference.compression import LEAST_BYTES, choose_encoding, compress, decompress
from inference.events import answer_body, body_bytes
from inference.pipeline import Request
from inference.protocol import parse_infer_request, render_infer_body, render_metadata
from inference.resolver import OneThreadResolver
from inference.telemetry import logger
from model_store.refs import LATEST, State
from model_store.release import VERSION

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from inference.loader import LoadedVersion, Tensors
    from inference.manager import Manager, Resolved
    from model_store.refs import Refs
    from model_store.signature import Signature

JSON: Final = "application/json"
BINARY: Final = "application/octet-stream"

ROUTING_KEY: Final = "coldpress-routing-key"
"""The header by which calls that belong together go to one side of a split."""

EXTENSIONS: Final = ["binary_tensor_data", "statistics"]
"""The extensions of the protocol that are served, by Triton's names."""

_NUMBER: Final = re.compile(r"0|[1-9][0-9]{0,17}")

_STATUSES: Final[dict[type[errors.ServingError], int]] = {
    errors.BadRequestError: 400,
    errors.UnknownError: 404,
    errors.RetiredError: 410,
    errors.TooLargeError: 413,
    errors.NotReadyError: 503,
    errors.NoMemoryError: 507,
}
"""The others are 500."""

_DONE: Final = 200

_PLACES: Final = (
    "/v2/models/<model>",
    "/v2/models/<model>/versions/<version>",
    "/v2/models/<model>/labels/<label>",
)


class AnsweredBy(NamedTuple):
    """The version that answers a call, or that it is about, and the label that found it, if any."""

    model: str
    version: int
    label: str | None


class Routes:
    """The surface as one thread uses it: a resolver, and what answers the call under way.

    `runs`: the call is one that runs a version. `observe` is told what each run was given and gave.
    """

    answered_by: AnsweredBy | None = None
    runs: bool = False
    _encoding: str | None = None

    def __init__(
        self,
        manager: Manager,
        default_model: str | None,
        observe: Callable[[LoadedVersion, Tensors, Tensors], None],
    ) -> None:
        self._manager = manager
        self._default_model = default_model
        self._observe = observe
        self._resolver = OneThreadResolver()
        self._register()

    def answer(self, event: Mapping[str, Any], context: Any, request_id: str) -> dict[str, Any]:
        """Answer one HTTP API event; whatever fails is an answer too."""
        self.answered_by = None
        self.runs = False
        self._encoding = None
        self._request_id = request_id
        self._remaining_s = _remaining_s(context)
        answer = self._resolver.resolve(event, context)
        return _compressed(answer, self._encoding)

    def _register(self) -> None:
        resolver = self._resolver
        resolver.get("/v2")(self._server)
        resolver.get("/v2/health/live")(self._live)
        resolver.get("/v2/health/ready")(self._ready)
        for place in _PLACES:
            resolver.get(place)(self._model)
            resolver.get(f"{place}/ready")(self._model_ready)
            resolver.get(f"{place}/stats")(self._stats)
            resolver.post(f"{place}/infer")(self._infer)
        resolver.get("/v2/models/stats")(self._all_stats)
        resolver.post("/predict")(self._predict_default)
        resolver.post("/models/<model>/predict")(self._predict)
        resolver.post("/models/<model>/labels/<label>/predict")(self._predict)
        resolver.not_found(self._no_route)
        resolver.exception_handler(Exception)(self._failed)

    def _server(self) -> Response[str]:
        return _json({"name": "coldpress", "version": VERSION, "extensions": EXTENSIONS})

    def _live(self) -> Response[str]:
        # Clients want both keys. Liveness reads nothing, so this is what is known already.
        return _json({"live": True, "ready": bool(self._manager.seen())})

    def _ready(self) -> Response[str]:
        try:
            self._check_ready()
        except errors.NotReadyError as error:
            return _json({"live": True, "ready": False, "error": str(error)}, 503)
        from inference.state import describe_troubles  # noqa: PLC0415 - no call needs it

        troubles = describe_troubles(self._manager.state())
        return _json({"live": True, "ready": True} | ({"troubles": troubles} if troubles else {}))

    def _check_ready(self) -> None:
        self._manager.check_reachable()
        try:
            if self._default_model:
                self._manager.check_published(self._default_model)
        except errors.UnknownError:
            self._check_not_empty()
            raise errors.NotReadyError(
                f"the default model {self._default_model!r} is not published"
            ) from None
        self._check_not_empty()

    def _model(
        self, model: str, version: str | None = None, label: str | None = None
    ) -> Response[str]:
        refs, _, signature = self._described(model, version, label)
        versions = [n for n, entry in refs.versions.items() if entry.state is State.AVAILABLE]
        return _json(render_metadata(model, sorted(versions), signature))

    def _described(
        self, model: str, version: str | None, label: str | None
    ) -> tuple[Refs, int, Signature]:
        try:
            found = self._manager.describe(model, _number(version), label=label)
        except errors.UnknownError:
            self._check_not_empty()
            raise
        self.answered_by = AnsweredBy(model, found[1], None if version else label or LATEST)
        return found

    def _model_ready(
        self, model: str, version: str | None = None, label: str | None = None
    ) -> Response[str]:
        resolved = self._resolve(model, version, label)
        return _json({"name": resolved.loaded.model, "ready": True})

    def _infer(
        self, model: str, version: str | None = None, label: str | None = None
    ) -> Response[bytes | str]:
        loaded = self._resolve(model, version, label).loaded
        self.runs = True
        request = parse_infer_request(
            self._body(), loaded.signature, json_length=self._header(LENGTH_HEADER)
        )
        outputs = loaded.run(request.tensors, request.outputs)
        if version is None:
            self._observe(loaded, request.tensors, outputs)
        body, json_length = render_infer_body(
            outputs,
            model=loaded.model,
            version=loaded.number,
            request_id=request.id,
            binary=request.binary,
        )
        if json_length is None:
            return self._respond(JSON, body)
        return self._respond(BINARY, body, {LENGTH_HEADER: str(json_length)})

    def _stats(
        self, model: str, version: str | None = None, label: str | None = None
    ) -> Response[str]:
        _, number, _ = self._described(model, version, label)
        asked = None if version is None and label is None else number
        return _json({"model_stats": self._manager.stats.describe(model, asked)})

    def _all_stats(self) -> Response[str]:
        return _json({"model_stats": self._manager.stats.describe()})

    def _predict_default(self) -> Response[bytes | str]:
        if self._default_model is None:
            self._check_not_empty()
            raise errors.BadRequestError(
                "there is no default model: call /models/NAME/predict, or set DEFAULT_MODEL"
            )
        return self._predict(self._default_model)

    def _predict(self, model: str, label: str | None = None) -> Response[bytes | str]:
        loaded = self._resolve(model, None, label).loaded
        self.runs = True
        event = self._resolver.current_event.raw_event
        request = Request(
            body=self._body(),
            content_type=self._header("content-type") or BINARY,
            # Of a repeated parameter the last: queryStringParameters joins them by commas.
            parameters=dict(parse_qsl(event.get("rawQueryString") or "", keep_blank_values=True)),
        )
        response = loaded.predict(request, partial(self._observe, loaded))
        return self._respond(response.content_type, response.body)

    def _resolve(self, model: str, version: str | None, label: str | None = None) -> Resolved:
        try:
            resolved = self._manager.resolve(
                model,
                _number(version),
                label=label,
                routing_key=self._header(ROUTING_KEY),
                remaining_s=self._remaining_s,
            )
        except errors.UnknownError:
            self._check_not_empty()
            raise
        self.answered_by = AnsweredBy(model, resolved.loaded.number, resolved.label)
        return resolved

    def _check_not_empty(self) -> None:
        if self._manager.is_empty():
            raise _nothing_published()

    def _header(self, name: str) -> str | None:
        # HTTP API events name headers in lower case; Powertools would copy them all to say so.
        headers = self._resolver.current_event.raw_event.get("headers") or {}
        value: str | None = headers.get(name.lower())
        return value

    def _body(self) -> bytes:
        """The request's body, as it was before the caller compressed it."""
        body = body_bytes(self._resolver.current_event.raw_event)
        encoding = self._header("content-encoding")
        return decompress(body, encoding) if encoding else body

    def _respond(
        self, content_type: str, body: bytes | str, headers: dict[str, str] | None = None
    ) -> Response[bytes | str]:
        """An answer, compressed where the caller takes it so and it is worth the time."""
        accepted = self._header("accept-encoding")
        if accepted and len(body) >= LEAST_BYTES:
            self._encoding = choose_encoding(accepted)
        if content_type == JSON and isinstance(body, bytes):
            body = body.decode()  # bytes would go out as base64
        return Response(200, content_type, body, headers=dict(headers or {}))

    def _no_route(self, _: Exception) -> Response[str]:
        event = self._resolver.current_event
        path = event.path if event.path.isprintable() else ascii(event.path)
        return _error(404, f"there is no {event.http_method} {path}")

    def _failed(self, error: Exception) -> Response[str]:
        status = _STATUSES.get(type(error), 500)  # type: ignore[arg-type]
        if status >= 500:
            logger.error(
                "a call failed",
                request_id=self._request_id,
                status=status,
                reason=str(error),
                cause=getattr(error, "cause", None),
                exc_info=error,
            )
        known = isinstance(error, errors.ServingError)
        return _error(status, str(error) if known else "an internal error: the log has its cause")


def error_answer(status: int, text: str) -> dict[str, Any]:
    """An error as API Gateway takes it, for what fails outside the routes."""
    return {
        "statusCode": status,
        "headers": {"Content-Type": JSON},
        "body": json.dumps({"error": text}),
        "isBase64Encoded": False,
    }


def _compressed(answer: dict[str, Any], encoding: str | None) -> dict[str, Any]:
    """An answer, compressed. Powertools can do it, too: by gzip alone, and at its slowest."""
    if encoding is None or answer["statusCode"] != _DONE:
        return answer
    body = base64.b64encode(compress(answer_body(answer), encoding)).decode()
    headers = answer["headers"] | {"Content-Encoding": encoding, "Vary": "Accept-Encoding"}
    return answer | {"body": body, "isBase64Encoded": True, "headers": headers}


def _remaining_s(context: Any) -> float:
    """How long the call may go on; as long as any where the context does not say."""
    remaining_ms = getattr(context, "get_remaining_time_in_millis", None)
    return remaining_ms() / 1e3 if remaining_ms else LIMITS.longest_invocation_s


def _number(version: str | None) -> int | None:
    if version is None:
        return None
    if not _NUMBER.fullmatch(version):
        raise errors.UnknownError(f"{version[:40]!r} is no version: versions are numbers")
    return int(version)


def _nothing_published() -> errors.NotReadyError:
    return errors.NotReadyError("nothing is published in the store: publish a model first")


def _json(value: object, status: int = 200) -> Response[str]:
    return Response(status, JSON, json.dumps(value))


def _error(status: int, text: str) -> Response[str]:
    return _json({"error": text}, status)
