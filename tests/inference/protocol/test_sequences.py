"""Sequences and maps as ONNX Runtime gives them, as tensors: what no small graph makes."""

from __future__ import annotations

from typing import Any

import pytest

from inference.errors import OutputError
from inference.protocol.sequences import names_of, specs_of_map, to_tensors

MAP, MAPS = "map(string,tensor(int64))", "seq(map(string,tensor(int64)))"


def _tensors(value: Any, kind: str) -> dict[str, Any]:
    specs = specs_of_map("m", "BYTES", "INT64", in_sequence=kind == MAPS)
    by_name = {spec.name: spec for spec in specs}
    assert names_of("m", kind) == tuple(by_name)
    found = to_tensors(value, kind, by_name, "m")
    for name, tensor in found.items():
        assert len(by_name[name].shape or ()) == tensor.ndim
    return {name: tensor.tolist() for name, tensor in found.items()}


def test_a_map_alone_has_no_rows() -> None:
    assert _tensors({"a": 1, "b": 2}, MAP) == {"m": [1, 2], "m.keys": ["a", "b"]}
    assert _tensors({}, MAP) == {"m": [], "m.keys": []}


def test_maps_without_keys_are_rows_without_columns() -> None:
    assert _tensors([{}, {}], MAPS) == {"m": [[], []], "m.keys": []}


@pytest.mark.parametrize("second", [{"a": 1}, {"b": 2, "a": 1}, {"a": 1, "c": 2}])
def test_maps_of_different_keys_are_refused(second: dict[str, int]) -> None:
    with pytest.raises(OutputError, match="'m' is a sequence of maps of different keys"):
        _tensors([{"a": 1, "b": 2}, second], MAPS)
