"""The handler of a Lambda function that answers HTTP calls (payload format 2.0) and the probe.

An Application takes an event and returns an answer in API Gateway's format. It adds the headers
that name the version that answered, and reports the call's metrics. Any number of threads may call
it concurrently; each thread has its own Routes (inference_routes.py), which make the answers.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from inference.http.inference_routes import Routes
from inference.http.limits import PAYLOAD_LIMIT_BYTES, answer_too_large
from inference.http.responses import error_answer
from inference.loading.loader import load_version
from inference.loading.memory_need import budget_bytes
from inference.process.background import Background
from inference.process.memory import rss_bytes
from inference.serving.manager import Manager
from inference.serving.shadow import Shadow
from inference.telemetry import count_call
from model_store.layout import StoreLayout

if TYPE_CHECKING:
    from collections.abc import Mapping

    from inference.loading.early_reads import EarlyReads
    from inference.serving.recycling_policy import Due
    from inference.settings import Settings

_FAILED: Final = 400
"""The lowest status of an error."""

_HEADERS_BYTES: Final = 1024
"""Space reserved for the headers that are added to an answer."""


class Application:
    """The handler of one environment. The constructor reads nothing from the store."""

    def __init__(
        self,
        settings: Settings,
        background: Background | None = None,
        early: EarlyReads | None = None,
    ) -> None:
        self._settings = settings
        self._background = background or Background()
        self._manager = _make_manager(settings, self._background, early)
        percent = settings.shadow_percent
        self._shadow = Shadow(self._manager, self._background, percent=percent)
        self._threads = threading.local()

    def preload(self, budget_s: float) -> None:
        """Start loading the models of PRELOAD_MODELS, and wait for at most `budget_s`.

        Loads that are not done by then continue in the background. Work that a load defers until
        after an answer starts after the first answer.
        """
        self._background.await_call()
        self._manager.preload(self._settings.preload_models, budget_s)

    def due(self) -> Due | None:
        """Return the reason to restart this environment; None if there is none.

        Call this between calls.
        """
        return self._manager.due()

    def answered(self) -> tuple[str, ...]:
        """Return the names of models that have a warm version."""
        return self._manager.answered()

    def __call__(self, event: Mapping[str, Any], context: Any) -> dict[str, Any]:
        """Answer one event; raises ValueError for an event that is neither HTTP nor the probe."""
        if event.get("coldpress") == "probe":
            return self.probe()
        context_of_call = event.get("requestContext") or {}
        if event.get("version") != "2.0" or not {"http", "stage"} <= context_of_call.keys():
            raise ValueError(
                "this function answers HTTP API events (payload format 2.0) and the probe"
            )
        self._background.begin_call()
        try:
            return self._answer(event, context)
        finally:
            self._background.end_call()

    def _answer(self, event: Mapping[str, Any], context: Any) -> dict[str, Any]:
        started = time.perf_counter()
        routes = self._routes()
        request_id = _request_id(event, context)
        answer = _limit_size(routes.answer(event, context, request_id))
        headers = answer.setdefault("headers", {})
        headers["Coldpress-Request-Id"] = request_id
        by = routes.call.answered_by
        if by:
            headers["Coldpress-Model"] = by.model
            headers["Coldpress-Version"] = str(by.version)
            if by.label:
                headers["Coldpress-Label"] = by.label
        took_s = time.perf_counter() - started
        status = answer["statusCode"]
        count_call(by.model if by else "none", status, took_s * 1e3)
        if by and routes.call.runs:
            failed = status >= _FAILED
            self._manager.stats.call(by.model, by.version, int(took_s * 1e9), failed=failed)
        return answer

    def probe(self) -> dict[str, Any]:
        """Return the releases, settings and state of this environment."""
        from inference.serving.probe import answer_probe  # noqa: PLC0415 - inference does not need it

        return answer_probe(self._manager, self._settings.describe())

    def _routes(self) -> Routes:
        routes: Routes | None = getattr(self._threads, "routes", None)
        if routes is None:
            routes = self._threads.routes = Routes(
                self._manager, self._settings.default_model, self._shadow.observe
            )
        return routes


def _make_manager(settings: Settings, background: Background, early: EarlyReads | None) -> Manager:
    """Make the manager. Its memory budget excludes the memory that the process uses now."""
    load = partial(load_version, verify=settings.verify)
    if early is not None:
        load = partial(load, take_reads=early.take_reads)
    return Manager(
        StoreLayout(settings.store_path),
        ref_ttl_s=settings.ref_ttl_s,
        load=load,
        max_staleness_s=settings.max_staleness_s,
        budget_bytes=budget_bytes(
            budget_mb=settings.memory_budget_mb,
            function_mb=settings.function_memory_mb,
            base_bytes=rss_bytes(),
        ),
        background=background,
        take_seen=early.take_seen if early is not None else lambda _name: None,
    )


def _limit_size(answer: dict[str, Any]) -> dict[str, Any]:
    """Return the answer, or an error if the answer is larger than Lambda accepts."""
    # A character takes at most 6 bytes in JSON: an answer that fits by this bound is not measured.
    if len(answer.get("body") or "") * 6 + _HEADERS_BYTES <= PAYLOAD_LIMIT_BYTES:
        return answer
    if answer.get("isBase64Encoded"):  # base64 has no characters that JSON escapes
        size = len(answer["body"]) + _size(answer | {"body": ""}) + _HEADERS_BYTES
    else:
        size = _size(answer) + _HEADERS_BYTES
    if size <= PAYLOAD_LIMIT_BYTES:
        return answer
    return error_answer(413, answer_too_large(f"the answer is {size} bytes"))


def _size(answer: dict[str, Any]) -> int:
    """Return the answer's size in bytes, as the runtime writes it: escaped before Python 3.12."""
    text = json.dumps(answer, ensure_ascii=sys.version_info < (3, 12))
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def _request_id(event: Mapping[str, Any], context: Any) -> str:
    own = getattr(context, "aws_request_id", None)
    return str(own or event["requestContext"].get("requestId", ""))
