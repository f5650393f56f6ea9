"""Powertools' HTTP API resolver, made safe for processes that answer calls in several threads.

Powertools keeps the current event in a class attribute, and the matched route in the instance: safe
on Lambda, which calls in one thread. The local gateway calls in several threads. Each of them has
its own resolver, and this class keeps the event in the instance, too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver
from aws_lambda_powertools.utilities.data_classes import APIGatewayProxyEventV2

if TYPE_CHECKING:
    from collections.abc import Mapping


class OneThreadResolver(APIGatewayHttpResolver):
    """A resolver for one thread; other threads use other instances."""

    _event: APIGatewayProxyEventV2

    @property
    def current_event(self) -> APIGatewayProxyEventV2:  # type: ignore[override]
        """The event of the call in progress in this thread."""
        return self._event

    def resolve(self, event: Mapping[str, Any], context: Any) -> dict[str, Any]:
        """Answer one event. Powertools also sets `BaseRouter.current_event`, shadowed here."""
        self._event = APIGatewayProxyEventV2(dict(event))
        return super().resolve(event, context)

    def methods(self, path: str) -> list[str]:
        """Return the methods of a path, sorted; none for an unknown path."""
        routes = self._static_routes + self._dynamic_routes
        return sorted({route.method for route in routes if route.rule.match(path)})
