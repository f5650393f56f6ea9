"""A model's signature, as it is read from the graph."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from model_store.signature import DATATYPES, Signature, TensorSpec
from model_sync.errors import InspectionError
from model_sync.graphs.inspection import inspect
from tests.model_sync import awkward_models as awkward
from tests.support.models import write_adder, write_identity

if TYPE_CHECKING:
    from pathlib import Path

DTYPES = {
    TensorProto.BOOL: "BOOL",
    TensorProto.UINT8: "UINT8",
    TensorProto.UINT16: "UINT16",
    TensorProto.UINT32: "UINT32",
    TensorProto.UINT64: "UINT64",
    TensorProto.INT8: "INT8",
    TensorProto.INT16: "INT16",
    TensorProto.INT32: "INT32",
    TensorProto.INT64: "INT64",
    TensorProto.FLOAT16: "FP16",
    TensorProto.BFLOAT16: "BF16",
    TensorProto.FLOAT: "FP32",
    TensorProto.DOUBLE: "FP64",
    TensorProto.STRING: "BYTES",
}
NOT_SERVED = ["COMPLEX64", "COMPLEX128", "FLOAT8E4M3FN", "FLOAT8E5M2", "INT4", "UINT4", "UNDEFINED"]


def test_a_signature_is_names_datatypes_and_shapes(tmp_path: Path) -> None:
    assert inspect(write_adder(tmp_path, 1.0), "model.onnx") == Signature(
        inputs=(TensorSpec("x", "FP32", (-1, 2)),), outputs=(TensorSpec("y", "FP32", (-1, 2)),)
    )


@pytest.mark.parametrize(("data_type", "datatype"), DTYPES.items(), ids=DTYPES.values())
def test_every_datatype_of_the_protocol_is_known(
    tmp_path: Path, data_type: int, datatype: str
) -> None:
    signature = inspect(write_identity(tmp_path, data_type, shape=[1]), "model.onnx")
    assert signature.inputs == (TensorSpec("x", datatype, (1,)),)
    assert signature.outputs == (TensorSpec("y", datatype, (1,)),)


def test_the_table_of_datatypes_is_whole() -> None:
    assert set(DTYPES.values()) == DATATYPES


@pytest.mark.parametrize("name", NOT_SERVED)
def test_a_datatype_that_the_protocol_does_not_have_is_refused(tmp_path: Path, name: str) -> None:
    path = write_identity(tmp_path, TensorProto.DataType.Value(name), shape=[1])
    with pytest.raises(InspectionError, match=rf"model\.onnx: 'x' has datatype {name}, which"):
        inspect(path, "model.onnx")


def test_a_datatype_that_nobody_knows_is_refused(tmp_path: Path) -> None:
    path = write_identity(tmp_path, 99, shape=[1])
    with pytest.raises(InspectionError, match="'x' has datatype 99"):
        inspect(path, "model.onnx")


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ([], ()),
        ([0], (0,)),
        ([3, 2], (3, 2)),
        (["batch", 2], (-1, 2)),
        ([None, None], (-1, -1)),
        ([-1], (-1,)),
        ([-7], (-1,)),
        (["batch", "batch"], (-1, -1)),
    ],
)
def test_every_kind_of_dimension(
    tmp_path: Path, shape: list[int | str], expected: tuple[int, ...]
) -> None:
    signature = inspect(write_identity(tmp_path, TensorProto.FLOAT, shape=shape), "model.onnx")
    assert signature.inputs[0].shape == expected


def test_an_input_of_unknown_rank_is_refused_as_onnx_refuses_it(tmp_path: Path) -> None:
    path = write_identity(tmp_path, TensorProto.FLOAT, shape=None)
    with pytest.raises(InspectionError, match="'shape' of 'type' is required but missing"):
        inspect(path, "model.onnx")


def test_initializers_that_are_listed_as_inputs_are_not_in_the_signature(tmp_path: Path) -> None:
    path = awkward.write(
        tmp_path / "model.onnx",
        [helper.make_node("Add", ["x", "c"], ["y"])],
        inputs=[awkward.value("c", [2]), awkward.value("x", [2])],
        outputs=[awkward.value("y", [2])],
        initializers=[awkward.constant("c", [1.0, 2.0])],
    )
    assert [spec.name for spec in inspect(path, "model.onnx").inputs] == ["x"]


def test_a_sparse_initializer_that_is_listed_as_an_input_is_not_either(tmp_path: Path) -> None:
    values = awkward.constant("c", [5.0])
    indices = numpy_helper.from_array(np.array([1], np.int64), "c_indices")
    sparse = helper.make_sparse_tensor(values, indices, [2])
    path = awkward.write(
        tmp_path / "model.onnx",
        [helper.make_node("Add", ["x", "c"], ["y"])],
        inputs=[awkward.value("c", [2]), awkward.value("x", [2])],
        outputs=[awkward.value("y", [2])],
        sparse=[sparse],
    )
    assert [spec.name for spec in inspect(path, "model.onnx").inputs] == ["x"]


def test_inputs_and_outputs_keep_the_graphs_order(tmp_path: Path) -> None:
    nodes = [helper.make_node("Identity", [name], [f"{name}_out"]) for name in ("b", "c", "a")]
    path = awkward.write(
        tmp_path / "model.onnx",
        nodes,
        inputs=[awkward.value(name, [1]) for name in ("c", "a", "b")],
        outputs=[awkward.value(f"{name}_out", [1]) for name in ("b", "c", "a")],
    )
    signature = inspect(path, "model.onnx")
    assert [spec.name for spec in signature.inputs] == ["c", "a", "b"]
    assert [spec.name for spec in signature.outputs] == ["b_out", "c_out", "a_out"]


def test_a_model_may_have_no_input(tmp_path: Path) -> None:
    node = helper.make_node("Constant", [], ["y"], value=awkward.constant("c", [1.0, 2.0]))
    path = awkward.write(tmp_path / "model.onnx", [node], outputs=[awkward.value("y", [2])])
    assert inspect(path, "model.onnx").inputs == ()
