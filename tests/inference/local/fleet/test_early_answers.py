"""An answer is its caller's as soon as it is posted, whatever extensions do afterwards."""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.local.fleet.runtime_api_proxy import AnswerScanner

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from inference.local.fleet.environment import LambdaEnvironment

DEADLINE_S = 20.0
NEXT = b"GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: a\r\n\r\n"
ERROR = b"POST /2018-06-01/runtime/invocation/7/error HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}"


def posted(body: bytes) -> bytes:
    line = b"POST /2018-06-01/runtime/invocation/7-a/response HTTP/1.1\r\n"
    return line + b"content-length: %d\r\n\r\n" % len(body) + body


@given(st.lists(st.binary(max_size=40), max_size=4), st.lists(st.integers(1, 200), max_size=8))
def test_answers_are_found_whatever_the_pieces_are(bodies: list[bytes], cuts: list[int]) -> None:
    sent = b"".join(NEXT + posted(body) + ERROR for body in bodies)
    scanner = AnswerScanner()
    found: list[bytes] = []
    at = 0
    for piece in [*cuts, len(sent)]:
        found += scanner.feed(sent[at : at + piece])
        at += piece
    assert found == bodies


def test_what_cannot_be_followed_is_left_alone() -> None:
    scanner = AnswerScanner()
    chunked = b"POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n"
    assert scanner.feed(chunked + posted(b"x")) == []
    assert scanner.feed(posted(b"y")) == []


EXTENDED = """
import http.client, os, threading, time

def register():
    api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
    headers = {"Lambda-Extension-Name": "slow"}
    body = '{"events": ["INVOKE"]}'
    api.request("POST", "/2020-01-01/extension/register", body, headers)
    answer = api.getresponse()
    answer.read()
    return api, {"Lambda-Extension-Identifier": answer.headers["Lambda-Extension-Identifier"]}

api, headers = register()
go = []

def extend():
    while True:
        api.request("GET", "/2020-01-01/extension/event/next", headers=headers)
        api.getresponse().read()
        while not go or not os.path.exists(go[0]):
            time.sleep(0.002)

threading.Thread(target=extend, daemon=True).start()

def handler(event, context):
    go[:] = [event["go"]]
    return "answered"
"""


@pytest.mark.skipif(sys.platform != "linux", reason="linux only: so are environments")
def test_an_extension_that_works_on_does_not_hold_the_answer_back(
    make: Callable[..., LambdaEnvironment], tmp_path: Path
) -> None:
    go = tmp_path / "go"
    early: list[bytes] = []
    given = threading.Event()

    def take(answer: bytes) -> None:
        early.append(answer)
        given.set()

    with make("extended.handler", early_answers=True) as function:
        (function._cwd / "extended.py").write_text(EXTENDED)
        done: list[bytes] = []
        payload = b'{"go": "%s"}' % str(go).encode()
        call = threading.Thread(target=lambda: done.append(function.invoke_raw(payload, take)))
        call.start()
        assert given.wait(DEADLINE_S)
        assert (early, done) == ([b'"answered"'], [])
        go.touch()
        call.join(DEADLINE_S)
        assert done == early

        assert function.invoke({"go": str(go)}) == "answered"
        assert len(early) == 1
