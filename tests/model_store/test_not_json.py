"""Texts that are not JSON documents of the store, some of which JSON libraries accept."""

from __future__ import annotations

import json

import pytest

from model_store.errors import DamagedError
from tests.support.documents import KINDS, PARSERS, RENDERED, as_json

DEEP = 100_000


def _refusal(kind: str, data: bytes) -> str:
    with pytest.raises(DamagedError) as caught:
        PARSERS[kind](data, "<where>")
    message = str(caught.value)
    assert "<where>" in message
    assert "\n" not in message
    return message


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "data",
    [
        b"",
        b" ",
        b"{",
        b"\xff\xfe",
        b"\x80",
        b"nothing",
        b"{} {}",
        b"{'format': 1}",
        b'{"format": 1',
    ],
)
def test_what_is_not_json_is_refused(kind: str, data: bytes) -> None:
    assert "is not a JSON document" in _refusal(kind, data)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("data", [b"[]", b"null", b"1", b'"text"', b'[{"format": 1}]'])
def test_json_that_is_no_object_is_refused(kind: str, data: bytes) -> None:
    assert "is not a JSON object" in _refusal(kind, data)


@pytest.mark.parametrize("kind", KINDS)
def test_every_document_cut_short_is_refused(kind: str) -> None:
    whole = RENDERED[kind]
    # All but the final newline is needed.
    for length in range(len(whole) - 1):
        _refusal(kind, whole[:length])


@pytest.mark.parametrize("kind", KINDS)
def test_a_key_that_stands_twice_is_refused(kind: str) -> None:
    twice = RENDERED[kind].replace(b'"format": ', b'"format": 1, "format": ', 1)
    assert "twice" in _refusal(kind, twice)


def test_a_key_that_stands_twice_deep_inside_is_refused() -> None:
    twice = RENDERED["refs"].replace(b'"state": ', b'"state": "retired", "state": ', 1)
    assert "twice" in _refusal("refs", twice)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
def test_a_number_that_json_does_not_have_is_refused(number: str) -> None:
    document = RENDERED["version"].replace(b'"rtol": 1e-05', f'"rtol": {number}'.encode())
    assert number in _refusal("version", document)


@pytest.mark.parametrize("number", ["1e999", "-1e999", "-0.5", "-1"])
def test_a_number_that_is_not_finite_or_too_small_is_refused(number: str) -> None:
    document = RENDERED["version"].replace(b'"rtol": 1e-05', f'"rtol": {number}'.encode())
    assert "'rtol'" in _refusal("version", document)


@pytest.mark.parametrize("number", ["1e999", "7.0", "7e0", "0", "-7", "true"])
def test_a_generation_that_is_no_positive_integer_is_refused(number: str) -> None:
    document = RENDERED["refs"].replace(b'"generation": 7', f'"generation": {number}'.encode())
    assert "'generation'" in _refusal("refs", document)


def test_an_integer_too_large_for_a_float_is_refused() -> None:
    document = RENDERED["version"].replace(b'"rtol": 1e-05', b'"rtol": 1' + b"0" * 400)
    assert "'rtol'" in _refusal("version", document)


def test_an_integer_of_more_digits_than_python_reads_is_refused() -> None:
    digits = b"1" * 5000
    _refusal("refs", RENDERED["refs"].replace(b'"generation": 7', b'"generation": ' + digits))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("opening", [b"[", b'{"a":'])
def test_deep_nesting_is_refused(kind: str, opening: bytes) -> None:
    _refusal(kind, opening * DEEP)
    _refusal(kind, b'{"format": 1, "model": ' + opening * DEEP)


def test_text_without_a_utf8_form_is_refused() -> None:
    # Were it read, neither the manifest's digest nor the next generation of refs could be written.
    version = as_json("version")
    version["golden"]["cases"] = ["\ud800"]
    _refusal("version", json.dumps(version).encode())
    refs = as_json("refs")
    refs["writer"] = "\udfff"
    _refusal("refs", json.dumps(refs).encode())
    raw = RENDERED["refs"].replace(b"a-writer", b"\xed\xa0\x80")
    _refusal("refs", raw)


@pytest.mark.parametrize("key", ["a\nb", "\ud800", "a\r\x1b[31m"])
def test_an_unknown_key_cannot_break_the_line_that_names_it(key: str) -> None:
    document = {**as_json("refs"), key: 1}
    message = _refusal("refs", json.dumps(document).encode())
    assert message.isprintable()
