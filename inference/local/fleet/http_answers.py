"""Call a fleet with events, and turn the results into HTTP answers.

If the function itself has not answered, the status is AWS's: 429 if the call is throttled, 502 if
the function failed, as for function URLs (HTTP APIs use 503 and 500, which the function may use
itself), and 503 after 30 seconds, the longest time that an HTTP API waits.
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any, Final

from inference.http.responses import error_answer
from inference.local.fleet.errors import LambdaEnvironmentError, ThrottledError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from inference.local.fleet.pool import Answered, Fleet

WAITS_S: Final = 30.0
ENVIRONMENT_HEADER: Final = "Coldpress-Environment"


class FleetAnswers:
    """Answers a Gateway's events, each in one of a fleet's environments."""

    def __init__(self, fleet: Fleet, *, waits_s: float = WAITS_S) -> None:
        self._fleet = fleet
        self._waits_s = waits_s

    async def __call__(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """Answer one event; a failure becomes an answer with its status."""
        payload = json.dumps(event, separators=(",", ":")).encode()
        try:
            called = asyncio.wrap_future(self._fleet.submit(payload))
            return _answer(await asyncio.wait_for(called, self._waits_s))
        except ThrottledError as error:
            answer = error_answer(429, f"throttled: {error}")
            answer["headers"]["Retry-After"] = "1"
            return answer
        except TimeoutError:
            return error_answer(503, f"no environment has answered in {self._waits_s:g} s")
        except LambdaEnvironmentError as error:
            return error_answer(502, f"the function failed: {str(error).partition(chr(10))[0]}")


def _answer(answered: Answered) -> dict[str, Any]:
    answer = json.loads(answered.payload)
    if not isinstance(answer, dict) or not isinstance(answer.get("statusCode"), int):
        return error_answer(502, "the function's answer is not in API Gateway's form")
    headers = answer.setdefault("headers", {})
    headers[ENVIRONMENT_HEADER] = str(answered.environment)
    return answer
