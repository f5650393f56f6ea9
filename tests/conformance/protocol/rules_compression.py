"""Requirements of compressed bodies, for requests and answers."""

from __future__ import annotations

import gzip
import json
import zlib
from functools import partial
from typing import TYPE_CHECKING, Any

from .answer import JSON_LENGTH, Answer, elements_of, outputs_of
from .requirement import NotOfferedError, extension
from .server import binary_input, infer_path, json_input
from .tensors import as_many, assert_same, shape_of, to_bytes

if TYPE_CHECKING:
    from .model import Model
    from .server import Server

SECTION = "Compression (RFC 9110, Content Codings)"
COUNT = 4096

asked = partial(extension, "compression")


def _many(server: Server) -> tuple[Model, list[int], list[Any]]:
    """Enough elements that compressing pays."""
    model = server.identity(least_dynamic=1)
    shape = shape_of(model.inputs[0], COUNT)
    return model, shape, as_many([0.5, 1.5, -2.0], shape)


def _request(server: Server) -> tuple[Model, bytes, list[Any]]:
    model, shape, values = _many(server)
    document = {"inputs": [json_input(model.inputs[0], shape, values)]}
    return model, json.dumps(document).encode(), values


def _compared(body: bytes, values: list[Any]) -> None:
    (output,) = outputs_of(json.loads(body)).values()
    assert_same(elements_of(output), values, "FP32")


def _sent(server: Server, coding: str, compress: Any) -> None:
    model, body, values = _request(server)
    answer = server.post(infer_path(model), compress(body), {"Content-Encoding": coding})
    _compared(answer.ok().body, values)


@asked("compression.request.gzip", SECTION)
def a_request_may_be_compressed_by_gzip(server: Server) -> None:
    _sent(server, "gzip", gzip.compress)


@asked("compression.request.deflate", SECTION)
def a_request_may_be_compressed_by_deflate(server: Server) -> None:
    _sent(server, "deflate", zlib.compress)


def _uncompressed(answer: Answer, coding: str) -> bytes:
    found = answer.ok().headers.get("content-encoding")
    assert found == coding, f"Content-Encoding is {found!r}, expected {coding!r}"
    try:
        return gzip.decompress(answer.body) if coding == "gzip" else zlib.decompress(answer.body)
    except (OSError, zlib.error, EOFError) as error:
        raise AssertionError(f"the body is not {coding}: {error}") from None


def _received(server: Server, coding: str) -> None:
    model, body, values = _request(server)
    answer = server.post(infer_path(model), body, {"Accept-Encoding": coding})
    _compared(_uncompressed(answer, coding), values)


@asked("compression.response.gzip", SECTION)
def an_answer_is_compressed_by_gzip_for_who_accepts_that(server: Server) -> None:
    _received(server, "gzip")


@asked("compression.response.deflate", SECTION)
def an_answer_is_compressed_by_deflate_for_who_accepts_that(server: Server) -> None:
    _received(server, "deflate")


@asked("compression.response.none", SECTION)
def an_answer_is_not_compressed_for_who_does_not_accept_that(server: Server) -> None:
    model, body, values = _request(server)
    answer = server.post(infer_path(model), body, {"Accept-Encoding": "identity"}).ok()
    found = answer.headers.get("content-encoding", "identity")
    assert found == "identity", f"Content-Encoding is {found!r}, and was not accepted"
    _compared(answer.body, values)


@asked("compression.both", SECTION)
def a_request_and_its_answer_may_both_be_compressed(server: Server) -> None:
    model, body, values = _request(server)
    sent = {"Content-Encoding": "deflate", "Accept-Encoding": "gzip"}
    answer = server.post(infer_path(model), zlib.compress(body), sent)
    _compared(_uncompressed(answer, "gzip"), values)


@asked("compression.binary", "Binary Tensor Data Extension: Inference-Header-Content-Length")
def the_length_of_the_json_counts_before_compression(server: Server) -> None:
    if not server.offers("binary_tensor_data"):
        raise NotOfferedError("the extension 'binary_tensor_data'")
    model, shape, values = _many(server)
    data = to_bytes(values, "FP32")
    document = {
        "inputs": [binary_input(model.inputs[0], shape, len(data))],
        "parameters": {"binary_data_output": True},
    }
    head = json.dumps(document).encode()
    sent = {
        "Content-Type": "application/octet-stream",
        "Content-Encoding": "gzip",
        "Accept-Encoding": "gzip",
        JSON_LENGTH: str(len(head)),
    }
    answer = server.post(infer_path(model), gzip.compress(head + data), sent)
    body = _uncompressed(answer, "gzip")
    document, found = Answer(200, answer.headers, body).split()
    outputs_of(document)
    assert found == data, f"{found[:64]!r}..., expected {data[:64]!r}..."


@asked("compression.error", SECTION)
def a_body_that_is_not_compressed_as_it_says_is_refused(server: Server) -> None:
    model, body, _ = _request(server)
    answer = server.post(infer_path(model), body, {"Content-Encoding": "gzip"})
    answer.is_error()
    assert answer.status < 500, f"status {answer.status}, expected 4xx"
