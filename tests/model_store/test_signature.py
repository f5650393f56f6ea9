from __future__ import annotations

from typing import Any

import pytest

from model_store.documents import Fields
from model_store.errors import DamagedError
from model_store.signature import DATATYPES, Signature, TensorSpec

X = {"name": "x", "datatype": "FP32", "shape": [-1, 2]}


def _read(inputs: list[Any], outputs: list[Any]) -> Signature:
    return Signature.from_fields(Fields({"inputs": inputs, "outputs": outputs}, "signature"))


def test_both_sides_keep_the_graphs_order() -> None:
    inputs = [{**X, "name": name} for name in ("b", "a", "c")]
    assert [spec.name for spec in _read(inputs, [X]).inputs] == ["b", "a", "c"]


@pytest.mark.parametrize("datatype", sorted(DATATYPES))
def test_every_datatype_of_the_protocol_is_read(datatype: str) -> None:
    assert _read([{**X, "datatype": datatype}], []).inputs == (TensorSpec("x", datatype, (-1, 2)),)


@pytest.mark.parametrize("datatype", ["", "FLOAT", "fp32", "STRING", "COMPLEX64", "FP8"])
def test_another_datatype_is_damage(datatype: str) -> None:
    with pytest.raises(DamagedError, match="signature: inputs: 'x' has unknown datatype"):
        _read([{**X, "datatype": datatype}], [])


@pytest.mark.parametrize("dimension", [-2, 1.0, "2", None, True, [2]])
def test_what_is_no_dimension_is_damage(dimension: object) -> None:
    with pytest.raises(DamagedError, match=r"signature: outputs: .* is no dimension"):
        _read([X], [{**X, "shape": [1, dimension]}])


@pytest.mark.parametrize(
    ("shape", "expected"), [(None, None), ([], ()), ([0], (0,)), ([-1, 0, 7], (-1, 0, 7))]
)
def test_a_shape_may_be_unknown_empty_or_dynamic(
    shape: list[int] | None, expected: tuple[int, ...] | None
) -> None:
    assert _read([{**X, "shape": shape}], []).inputs[0].shape == expected


def test_a_name_may_stand_on_both_sides_and_only_once_on_each() -> None:
    assert _read([X], [X])
    for sides in ([X, X], [X]), ([X], [X, X]):
        with pytest.raises(DamagedError, match="name one tensor twice"):
            _read(*sides)
