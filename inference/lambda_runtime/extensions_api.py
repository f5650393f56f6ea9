"""Lambda's Extensions API, as an extension inside the runtime's process speaks it.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-extensions-api.html: who has registered is
told of each invocation, and one is over when the runtime and every extension have asked for the
next. Nothing here raises: a function answers as well without its extension, so what goes wrong is
one line in the log. To be imported on Lambda only: `http.client` brings 18 modules.
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
"""How long registering may take: it delays INIT."""

TRIES: Final = 5
"""How often the next invocation is asked for when the connection is lost, a pause between."""

_FIRST_PAUSE_S: Final = 0.01


class Invocation(NamedTuple):
    """One invocation: its id, and when Lambda ends it, by the wall clock (seconds)."""

    request_id: str
    deadline_s: float


class ExtensionsApi:
    """The API as one registered extension sees it. For one thread."""

    def __init__(self, address: str, identifier: str) -> None:
        # No timeout: the next invocation may be hours away, and all of it is frozen meanwhile.
        self._connection = HTTPConnection(address)
        self.identifier = identifier
        self._identity = {"Lambda-Extension-Identifier": identifier}

    def next(self) -> Invocation | None:
        """Say that this extension is done, and wait for the next invocation; None: there is none.

        After None there is nothing to ask any more.
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
    """Register for invocations; None, and a line in the log, where that is refused.

    `address` is AWS_LAMBDA_RUNTIME_API's `host:port`. Lambda takes this during INIT only.
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
        logger.warning("no extension: background work goes on during calls alone", reason=reason)
        return None
    finally:
        connection.close()
    return ExtensionsApi(address, identifier)


class _RefusedError(Exception):
    """The API answered, and not with what was asked for: asking again would not help."""


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
