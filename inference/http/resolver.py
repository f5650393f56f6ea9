"""Powertools' HTTP API resolver, made safe for several threads.

Powertools keeps the event of the call under way in a class attribute, and the matched route in
the instance: right for Lambda, which calls in one thread. The local gateway calls in several, so
each thread has a resolver of its own, and this one keeps its event to itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver
from aws_lambda_powertools.utilities.data_classes import APIGatewayProxyEventV2

if TYPE_CHECKING:
    from collections.abc import Mapping


class OneThreadResolver(APIGatewayHttpResolver):
    """A resolver that one thread uses, whatever resolvers other threads use."""

    _event: APIGatewayProxyEventV2

    @property
    def current_event(self) -> APIGatewayProxyEventV2:  # type: ignore[override]
        """The event of the call under way in this thread."""
        return self._event

    def resolve(self, event: Mapping[str, Any], context: Any) -> dict[str, Any]:
        """Answer one event. Powertools' own assignment goes to the class that this one shadows."""
        self._event = APIGatewayProxyEventV2(dict(event))
        return super().resolve(event, context)

    def methods(self, path: str) -> list[str]:
        """The methods that an address takes, in order; none for an address that there is not."""
        routes = self._static_routes + self._dynamic_routes
        return sorted({route.method for route in routes if route.rule.match(path)})
