"""Whatever lies where a document should: a value that can be written, or a StoreError of a line."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from model_store.errors import StoreError
from tests.model_store.damage import damaged, json_values
from tests.support import strategies
from tests.support.documents import KINDS, PARSERS, as_json
from tests.support.strategies import fewer

AWKWARD: list[tuple[str, tuple[str | int, ...], str, Any]] = [
    ("refs", ("versions",), "1" * 5000, {}),
    ("refs", ("versions",), "\u0661", {}),
    ("refs", (), "writer", "\ud800"),
    ("refs", ("labels",), "a\nb", 1),
    ("refs", ("holds",), "\ud800", {"version": 1, "until": "2026-11-23T21:09:35Z"}),
    ("package_set", ("wheels", 0), "name", "\ud800"),
    ("version", ("golden",), "rtol", 10**400),
    ("version", (), "model_file", "\ud800"),
    ("version", (), "model_file", "\r0"),
    ("version", (), "pipeline_file", "a\nb"),
    ("version", ("golden",), "cases", ["\ud800"]),
    ("version", ("files", 0), "size_bytes", 10**400),
    ("preparation", ("variants", 0, "measurement"), "load_ms", 10**400),
    ("preparation", ("variants", 0), "config", {"\ud800": ""}),
    ("preparation", ("variants", 0), "config", {"key": "\ud800"}),
]


def _read(kind: str, data: bytes) -> None:
    try:
        value = PARSERS[kind](data, "where")
    except StoreError as error:
        assert len(str(error).splitlines()) == 1  # noqa: PT017 - most examples do not raise
        return
    assert PARSERS[kind](value.render(), "where") == value


@pytest.mark.parametrize("kind", KINDS)
def test_arbitrary_bytes_raise_nothing_else(kind: str) -> None:
    @fewer
    @given(st.binary(max_size=40))
    def holds(data: bytes) -> None:
        _read(kind, data)

    holds()


@pytest.mark.parametrize("kind", KINDS)
def test_arbitrary_json_raises_nothing_else(kind: str) -> None:
    @fewer
    @given(json_values)
    @example({"format": 1, "a\nb": 1})
    def holds(value: Any) -> None:
        _read(kind, json.dumps(value).encode())
        if isinstance(value, dict):
            _read(kind, json.dumps({**value, "format": 1}).encode())

    holds()


@pytest.mark.parametrize("kind", KINDS)
def test_a_right_document_changed_in_one_place_raises_nothing_else(kind: str) -> None:
    @fewer
    @given(damaged(strategies.of_each_kind[kind]))
    def holds(data: bytes) -> None:
        _read(kind, data)

    holds()


@pytest.mark.parametrize(
    ("kind", "place", "key", "value"),
    AWKWARD,
    ids=[f"{kind}-{number}" for number, (kind, *_) in enumerate(AWKWARD)],
)
def test_the_awkward_values_that_were_found_raise_nothing_else(
    kind: str, place: tuple[str | int, ...], key: str, value: Any
) -> None:
    document: Any = as_json(kind)
    holder = document
    for step in place:
        holder = holder[step]
    holder[key] = value
    _read(kind, json.dumps(document).encode())
