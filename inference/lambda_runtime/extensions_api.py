"""Client of Lambda's Extensions API, for an extension inside the runtime's process.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-extensions-api.html: Lambda notifies a
registered extension of each invocation. An invocation is over when the runtime and every extension
have asked for the next one. No public function here raises: the handler answers without its
extension as well, so a failure is one line in the log. Import this module on Lambda only:
`http.client` imports 18 modules.
"""

from __future__ import annotations

import json
import time
from http.client import HTTPConnection, HTTPException
from typing import TYPE_CHECKING, Final, NamedTuple

from inference.telemetry import logger

if TYPE_CHECKING:
    from http.client import HTTPResponse

_PATH: Final = "/2020-01-01/extension"

REGISTER_DEADLINE_S: Final = 2.0
"""Time limit for registering, which delays INIT."""

TRIES: Final = 5
"""Number of requests for the next invocation if the connection fails, with pauses between them."""

_FIRST_PAUSE_S: Final = 0.01


class Invocation(NamedTuple):
    """One invocation: its id, and its deadline in seconds of the wall clock."""

    request_id: str
    deadline_s: float


class ExtensionsApi:
    """The API as one registered extension uses it. Not thread-safe."""

    def __init__(self, address: str, identifier: str) -> None:
        # No timeout: the next invocation may be hours away, with the environment frozen until then.
        self._connection = HTTPConnection(address)
        self.identifier = identifier
        self._identity = {"Lambda-Extension-Identifier": identifier}

    def next(self) -> Invocation | None:
        """Report this extension as done, and wait for the next invocation.

        Return None if there is none: the environment shuts down, or the API has failed. Do not call
        this again after None.
        """
        pause_s = _FIRST_PAUSE_S
        for _ in range(TRIES):
            try:
                self._connection.request("GET", f"{_PATH}/event/next", headers=self._identity)
                invocation = _invocation(self._connection.getresponse())
            except (OSError, HTTPException) as error:
                self._connection.close()  # the next request connects again
                reason = str(error)
                time.sleep(pause_s)
                pause_s *= 4
            except _RefusedError as error:
                reason = str(error)
                break
            else:
                if invocation is None:
                    self._connection.close()
                return invocation
        self._connection.close()
        logger.error("the extension has ended", reason=reason)
        return None


def register(address: str, name: str) -> ExtensionsApi | None:
    """Register an extension for invocations; return None, and log why, if Lambda refuses it.

    `address` is the `host:port` in AWS_LAMBDA_RUNTIME_API. Lambda accepts this during INIT only.
    """
    connection = HTTPConnection(address, timeout=REGISTER_DEADLINE_S)
    try:
        connection.request(
            "POST",
            f"{_PATH}/register",
            json.dumps({"events": ["INVOKE"]}),
            {"Lambda-Extension-Name": name},
        )
        identifier = _identifier(connection.getresponse())
    except (OSError, HTTPException, _RefusedError) as error:
        reason = f"{type(error).__name__}: {error}"
        logger.warning("no extension: background work runs during calls only", reason=reason)
        return None
    finally:
        connection.close()
    return ExtensionsApi(address, identifier)


class _RefusedError(Exception):
    """Unusable answer of the API; a repeated request would get the same."""


def _identifier(response: HTTPResponse) -> str:
    _body(response)
    identifier = response.headers["Lambda-Extension-Identifier"]
    if not identifier:
        raise _RefusedError("the answer has no identifier")
    return identifier


def _invocation(response: HTTPResponse) -> Invocation | None:
    body = _body(response)
    try:
        event = json.loads(body)
        if event["eventType"] != "INVOKE":
            return None
        return Invocation(event["requestId"], event["deadlineMs"] / 1000)
    except (ValueError, KeyError, TypeError) as error:
        raise _RefusedError(f"no event: {body[:200]!r}") from error


def _body(response: HTTPResponse) -> bytes:
    body = response.read()
    if response.status != 200:
        raise _RefusedError(f"{response.status} {body[:200]!r}")
    return body
