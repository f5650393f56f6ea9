"""Replacement values for mutations: names, values, headers, pieces of bodies."""

from __future__ import annotations

from typing import Any, Final

from tests.fuzz.calls import LENGTH

NAMES: Final = [
    "adder", "echo", "words", "sum", "broken", "nosuch", "reciprocal", "latest", "stats", "v2",
    "models", "versions", "labels", "infer", "ready", "predict", "load", "1", "2", "3", "9",
]  # fmt: skip
ODD: Final = [
    "", ".", "..", "...", "%2e%2e", "%2F", "%00", "%", "%zz", "%E9", "%c0%ae", "01", "-1", "+1",
    "1e3", "1.0", " 1", "1 ", "٣", "\uff19", "9" * 18, "9" * 19, "9" * 5000, "a" * 64, "a" * 65,
    "a" * 9000, "Adder", "adder ", " ", "\t", "\n", "\r\n", "\x00", "\x7f", "\x85", "\u2028", "é",
    "e\u0301", "😀", "\ufffd", "\ufeff", "\udcff", "\u202e", "<model>", "{model}", "$", "'", '"',
    "\\", "a/b", "a?b", "a#b", "a;b", "*", "null", "NaN", "__class__", "-", "_",
    "../../etc/passwd", "\x1b[31m",
]  # fmt: skip
METHODS: Final = [
    "GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "TRACE", "CONNECT", "get", "",
    "X Y", "ANY", "é", "G" * 500,
]  # fmt: skip
VALUES: Final[list[Any]] = [
    None, True, False, 0, 1, -1, 2, 3, 64, 65, 2**31, 2**32, 2**53 + 1, 2**62, 2**63, 2**64,
    10**40, -(2**63), 0.0, -0.0, 0.5, 1e-320, 1e38, 1e39, 1e308, "", "x", "y", "FP32", "fp32",
    "BYTES", "BF16", "INT64", "UINT8", "BOOL", "STRING", "1", "\ud800", "\x00", "\n", "é",
    "x" * 3000, [], {}, [[]], [1], [-1], [0], [1, 2], [2, 2], [4, 1], [2, 0], [1, 2, 2],
    [[1, 2], [3]], [None], [True, 2], ["a", 1], {"a": 1}, [{}], {"name": "x"},
    {"binary_data_size": 16}, {"binary_data_size": -1}, {"binary_data": True},
    {"binary_data_output": 1}, [1] * 70, {"": {"": {"": []}}},
]  # fmt: skip
KEYS: Final = [
    "id", "inputs", "outputs", "parameters", "name", "shape", "datatype", "data",
    "binary_data_size", "binary_data", "binary_data_output", "classification", "sequence_id",
    "priority", "timeout", "ready", "", "é", "__proto__", "x" * 500,
]  # fmt: skip
FRAGMENTS: Final = [
    b"NaN", b"Infinity", b"-Infinity", b"1e999", b"-0", b"00", b"1.", b".5", b"9" * 400,
    b"9" * 4301, b"1" + b"0" * 700 + b".5", b"\x00", b"\xff", b"\xed\xa0\x80", b"\xc3",
    b"\xef\xbb\xbf", b"//", b"'", b'"', b"{", b"}", b"[", b"]", b",", b":", b"\\u0000", b"\\ud800",
    b"\\x", b"[" * 2000, b'{"a":' * 500, b"[" * 300 + b"]" * 300, b" " * 1000, b"\n", b"null",
    b"true", b"\xf0\x9f\x98\x80",
]  # fmt: skip
HEADER_NAMES: Final = [
    "content-type", "content-encoding", "accept-encoding", LENGTH, "coldpress-routing-key",
    "accept", "content-length", "cookie", "host", "x-forwarded-for", "origin", "authorization",
    "expect", "transfer-encoding", "range", "if-none-match", "x-" + "h" * 200,
]  # fmt: skip
HEADER_VALUES: Final = [
    "", " ", "gzip", "GZIP", " gzip ", "x-gzip", "deflate", "br", "identity", "gzip, deflate",
    "gzip,gzip", "gzip;q=0", "gzip;q=0.000", "deflate;q=1, *;q=0", "*", "*;q=", ";;,", "q=1",
    "zstd", "0", "1", "-1", "+5", "05", "5 ", "0x5", "5.0", "1e1", "5,5", "\uff15", "٣", "9" * 18,
    "9" * 4301, "application/json", "application/json; charset=utf-16", "text/plain", "é",
    "\xe9\xff", "😀", "\x00", "a\r\nx-evil: 1", "a\tb", "a" * 4000,
    "application/octet-stream,application/json", "NaN", "null",
]  # fmt: skip
QUERY_PARTS: Final = [
    "decode=refuse", "decode=nothing", "encode=png", "encode=text", "encode=bytes", "encode=html",
    "a", "=", "&", "&&", ";", "a=%", "a=%zz", "%ff=%ff", "é=é", "a=1&a=2", "a=+", "%00=%00",
    "a[]=1", "a.b=1", "=" * 300, "a=" + "b" * 3000, "a=%ED%B3%BF", "&".join("a" * 200),
    "encode=%F0%9F%98%80", "\n", "#", "?",
]  # fmt: skip
