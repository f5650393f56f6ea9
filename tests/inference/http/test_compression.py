"""Bodies that come compressed, and answers that go out so."""

from __future__ import annotations

import gzip
import json
import zlib
from typing import TYPE_CHECKING

import pytest

from inference.errors import BadRequestError, TooLargeError
from inference.http.compression import choose_encoding, compress, decompress
from tests.support.calls import http_event, send
from tests.support.models import adder_request
from tests.support.stores import ADDER

if TYPE_CHECKING:
    from inference.http.application import Application

DATA = json.dumps(adder_request([1.0, 2.0] * 400)).encode()


def raw_deflate(data: bytes) -> bytes:
    worker = zlib.compressobj(wbits=-15)
    return worker.compress(data) + worker.flush()


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("gzip", gzip.compress(DATA)),
        ("x-gzip", gzip.compress(DATA)),
        (" GZip ", gzip.compress(DATA)),
        ("gzip", gzip.compress(DATA[:9]) + gzip.compress(b"") + gzip.compress(DATA[9:])),
        ("gzip", b"".join(gzip.compress(DATA[n : n + 1]) for n in range(len(DATA)))),
        ("deflate", zlib.compress(DATA)),
        ("deflate", raw_deflate(DATA)),
        ("identity", DATA),
        ("", DATA),
    ],
)
def test_what_was_compressed_is_read(encoding: str, body: bytes) -> None:
    assert decompress(body, encoding) == DATA


@pytest.mark.parametrize(
    ("encoding", "body", "message"),
    [
        ("br", DATA, "Content-Encoding is 'br': expected gzip, deflate or identity"),
        ("gzip, gzip", DATA, "expected gzip"),
        ("gzip", DATA, "the body is not gzip"),
        ("gzip", b"", "the body is not gzip: it ends too early"),
        ("gzip", gzip.compress(DATA)[:-9], "it ends too early"),
        ("gzip", gzip.compress(DATA) + b"more", "the body is not gzip"),
        ("gzip", gzip.compress(DATA) + gzip.compress(DATA)[:-9], "it ends too early"),
        ("deflate", zlib.compress(DATA) + zlib.compress(DATA), "or bytes follow its end"),
        ("deflate", b"\xff" * 9, "the body is not deflate"),
    ],
)
def test_what_is_not_what_it_says_is_refused(encoding: str, body: bytes, message: str) -> None:
    with pytest.raises(BadRequestError, match=message):
        decompress(body, encoding)


def test_a_small_body_that_comes_to_much_is_refused_before_it_takes_memory() -> None:
    bomb = zlib.compress(bytes(10_000_000))
    with pytest.raises(TooLargeError, match="more than 1000000 bytes"):
        decompress(bomb, "deflate", limit=1_000_000)


@pytest.mark.parametrize("members", [[1000], [600, 400], [999, 1], [1000, 0]])
def test_a_body_may_come_to_the_limit_and_not_to_a_byte_more(members: list[int]) -> None:
    body = b"".join(gzip.compress(bytes(size)) for size in members)
    assert decompress(body, "gzip", limit=1000) == bytes(1000)
    with pytest.raises(TooLargeError, match="more than 999 bytes"):
        decompress(body, "gzip", limit=999)


def test_after_what_is_too_much_nothing_is_read() -> None:
    body = gzip.compress(bytes(1001)) + b"no member"
    with pytest.raises(TooLargeError, match="more than 1000 bytes"):
        decompress(body, "gzip", limit=1000)


@pytest.mark.parametrize(
    ("accepted", "chosen"),
    [
        ("gzip, deflate, br", "gzip"),
        ("deflate", "deflate"),
        ("br", None),
        ("identity", None),
        ("", None),
        ("*", "gzip"),
        ("gzip;q=0, *", "deflate"),
        ("gzip; q=0.000, deflate;q=0.1", "deflate"),
        ("GZIP;q=1.0", "gzip"),
        ("gzip;q=0", None),
    ],
)
def test_the_coding_is_one_that_the_caller_takes(accepted: str, chosen: str | None) -> None:
    assert choose_encoding(accepted) == chosen


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_what_is_compressed_can_be_read(encoding: str) -> None:
    assert decompress(compress(DATA, encoding), encoding) == DATA


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_a_call_may_be_compressed_both_ways(application: Application, encoding: str) -> None:
    headers = {"content-encoding": encoding, "accept-encoding": encoding}
    event = http_event(
        "POST", f"/v2/models/{ADDER}/infer", body=compress(DATA, encoding), headers=headers
    )
    answer = send(application, event)
    assert answer.status == 200
    assert answer.headers["Content-Encoding"] == encoding
    assert answer.headers["Vary"] == "Accept-Encoding"
    found = json.loads(decompress(answer.body, encoding))
    assert found["outputs"][0]["data"] == [301.0, 302.0] * 400


def test_a_small_answer_is_sent_as_it_is(application: Application) -> None:
    body = json.dumps(adder_request([1.0, 2.0]))
    event = http_event(
        "POST", f"/v2/models/{ADDER}/infer", body=body, headers={"accept-encoding": "gzip"}
    )
    answer = send(application, event)
    assert "Content-Encoding" not in answer.headers
    assert answer.values == [301.0, 302.0]


def test_a_body_that_is_not_what_it_says_is_the_callers_fault(application: Application) -> None:
    event = http_event(
        "POST", f"/v2/models/{ADDER}/infer", body=DATA, headers={"content-encoding": "gzip"}
    )
    answer = send(application, event)
    assert (answer.status, answer.error[:21]) == (400, "the body is not gzip:")
