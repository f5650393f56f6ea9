"""An output that cannot fit into Lambda's answer is refused before the answer is built."""

from __future__ import annotations

import tracemalloc
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from inference.errors import TooLargeError
from inference.http.limits import PAYLOAD_LIMIT_BYTES, check_body, check_outputs
from tests.support.calls import Answer, infer

if TYPE_CHECKING:
    from inference.http.application import Application

MOST_AS_BASE64 = PAYLOAD_LIMIT_BYTES // 4 * 3


def test_bytes_count_a_third_more() -> None:
    check_body(MOST_AS_BASE64, as_base64=True)
    check_body(PAYLOAD_LIMIT_BYTES, as_base64=False)
    with pytest.raises(TooLargeError, match=f"the answer is {PAYLOAD_LIMIT_BYTES + 4} bytes"):
        check_body(MOST_AS_BASE64 + 1, as_base64=True)
    with pytest.raises(TooLargeError, match=f"is at least {PAYLOAD_LIMIT_BYTES + 1} bytes"):
        check_body(PAYLOAD_LIMIT_BYTES + 1, as_base64=False)


def test_outputs_count_by_the_form_that_they_are_to_have() -> None:
    most = np.empty(MOST_AS_BASE64, np.int8)
    digits = np.empty(PAYLOAD_LIMIT_BYTES // 2, np.int8)
    check_outputs({"y": most}, {"y"}, compressed=False)
    check_outputs({"y": digits}, set(), compressed=False)
    with pytest.raises(TooLargeError, match="at least"):
        check_outputs({"y": most, "z": np.empty(1, np.int8)}, {"y", "z"}, compressed=False)
    with pytest.raises(TooLargeError, match="at least"):
        check_outputs({"y": np.append(digits, digits[:1])}, set(), compressed=False)
    # Where any comes as bytes, all of the body goes out as base64.
    with pytest.raises(TooLargeError, match="at least"):
        check_outputs({"y": digits, "z": digits[:1]}, {"z"}, compressed=False)


def test_strings_are_left_to_be_counted_when_they_are_there() -> None:
    check_outputs({"y": np.array(["x" * PAYLOAD_LIMIT_BYTES], np.object_)}, {"y"}, compressed=False)
    # numpy counts 8 bytes for each, and none takes more than its length in 4.
    check_outputs({"y": np.full(MOST_AS_BASE64 // 4, "", np.object_)}, {"y"}, compressed=False)


def _ask(surface: Application, rows: int, *, headers: Any = None, **more: Any) -> Answer:
    """Ask for so many zeros, of FP32."""
    x = {"name": "x", "shape": [1], "datatype": "INT64", "data": [rows]}
    return infer(surface, {"inputs": [x], **more}, model="zeros", headers=headers)


BINARY = {"parameters": {"binary_data_output": True}}


@pytest.mark.parametrize(("rows", "more"), [(4_000_000, {}), (1_200_000, BINARY)])
def test_it_is_refused_before_it_is_built_with_what_to_do(
    surface: Application, rows: int, more: Any
) -> None:
    _ask(surface, 1)
    tracemalloc.start()
    try:
        answer = _ask(surface, rows, **more)
        # ONNX Runtime's own tensor is not traced; an answer made of it would be.
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()
    assert answer.status == 413
    assert "the answer is at least" in answer.error
    for way in ("binary data", "Accept-Encoding: gzip", "use batch"):
        assert way in answer.error


@pytest.mark.parametrize("more", [{}, BINARY])
def test_what_is_too_large_may_fit_compressed(surface: Application, more: Any) -> None:
    answer = _ask(surface, 4_000_000, headers={"accept-encoding": "gzip"}, **more)
    assert answer.status == 200
    assert answer.headers["Content-Encoding"] == "gzip"
    assert len(answer.body) < 100_000


def test_what_is_compressed_has_a_limit_too(surface: Application) -> None:
    gzip = {"accept-encoding": "gzip"}
    answer = _ask(surface, 20_000_000, headers=gzip)
    assert answer.status == 413
    assert "at least 40000000 bytes before it is compressed" in answer.error
    answer = _ask(surface, 9_000_000, headers=gzip, **BINARY)
    assert answer.status == 413
    assert _ask(surface, 8_000_000, headers=gzip, **BINARY).status == 200
