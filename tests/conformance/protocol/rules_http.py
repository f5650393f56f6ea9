"""Requirements of the connection: it survives errors, and bodies may be chunked."""

from __future__ import annotations

import http.client
import json
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from .answer import outputs_of
from .requirement import must, should
from .server import TIMEOUT_S, infer_path, inputs_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .server import Server


@must("http.after-error", "HTTP/REST (RFC 9112, Persistence)")
def a_connection_goes_on_after_an_error_or_is_said_to_end(server: Server) -> None:
    model = server.any_model()
    place = urlsplit(server.target.url)
    assert place.hostname is not None
    connection = http.client.HTTPConnection(place.hostname, place.port, timeout=TIMEOUT_S)
    good = json.dumps({"id": "after", "inputs": inputs_for(model)}).encode()
    path = place.path + infer_path(model)
    headers = {"Content-Type": "application/json", "Accept-Encoding": "identity"}
    try:
        for bad in (b"{", b'{"inputs": 1}', b" " * 70_000):
            connection.request("POST", path, bad, headers)
            refused = connection.getresponse()
            refused.read()
            if refused.will_close:
                connection.close()
            connection.request("POST", path, good, headers)
            answered = connection.getresponse()
            body = answered.read()
            assert answered.status == 200, (
                f"status {answered.status} after an error: {body[:200]!r}"
            )
            found = json.loads(body).get("id")
            assert found == "after", f"the answer after an error is another's: 'id' is {found!r}"
            if answered.will_close:
                connection.close()
    except (ConnectionError, http.client.HTTPException) as error:
        raise AssertionError(f"after an error the connection was lost: {error!r}") from None
    finally:
        connection.close()


@should("http.chunked", "HTTP/REST (RFC 9112, Chunked Transfer Coding)")
def a_body_may_come_in_chunks(server: Server) -> None:
    model = server.any_model()
    body = json.dumps({"inputs": inputs_for(model)}).encode()

    def pieces() -> Iterator[bytes]:
        yield body[:10]
        yield body[10:]

    sent = {"Content-Type": "application/json"}
    outputs_of(server.send("POST", infer_path(model), pieces(), sent).ok().object())
