"""Routes of the page that shows and calls models, and of the JSON that only the page reads.

`GET /` is the page (page.html, page.py). `GET /models/{model}` describes a model's refs: labels,
split and versions, with the versions that are warm in this environment. With a version or a label
in the path, it describes that version: inputs, outputs, and `pipeline`, true if it has one. The
page's other calls are the Open Inference Protocol's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_lambda_powertools.event_handler import Response

from inference.http.responses import body_answer, json_answer

if TYPE_CHECKING:
    from inference.http.call import Call
    from inference.http.model_routes import ModelRoutes
    from inference.http.resolver import OneThreadResolver
    from inference.serving.manager import Manager


class PageRoutes:
    """The page's routes for one thread; `call` is the call in progress in that thread."""

    def __init__(self, manager: Manager, models: ModelRoutes, call: Call) -> None:
        self._manager = manager
        self._models = models
        self._call = call

    def register(self, resolver: OneThreadResolver) -> None:
        """Add the routes."""
        resolver.get("/")(self._page)
        resolver.get("")(self._page)  # the address of a stage, without a final slash
        resolver.get("/models/<model>")(self._model)
        resolver.get("/models/<model>/versions/<version>")(self._version)
        resolver.get("/models/<model>/labels/<label>")(self._version)

    def _page(self) -> Response[str]:
        from inference.http.page import load_page  # noqa: PLC0415 - inference does not need it

        page = load_page()
        if _matches(self._call.header("if-none-match") or "", page.etag):
            return Response(304, body="", headers=dict(page.headers))
        return body_answer(page.content_type, page.text, page.headers, self._call.coding())

    def _model(self, model: str) -> Response[str]:
        from inference.http.repository import describe_refs  # noqa: PLC0415 - inference does not need it

        refs = self._models.look_up(lambda: self._manager.refs(model))
        return json_answer(describe_refs(refs, self._manager.state().models.get(model)))

    def _version(
        self, model: str, version: str | None = None, label: str | None = None
    ) -> Response[str]:
        found = self._models.describe(model, version, label)
        described = {"name": model, "version": found.number, "pipeline": found.has_pipeline}
        return json_answer(described | found.signature.to_json())


def _matches(if_none_match: str, etag: str) -> bool:
    """Return True if the header has this ETag, compared weakly (RFC 9110, "If-None-Match")."""
    return if_none_match.strip() == "*" or etag.removeprefix("W/") in if_none_match
