"""Weights in files of their own: found wherever a tensor can be, and never outside."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import onnx
import pytest

from model_sync.errors import InspectionError
from model_sync.graphs.inspection import external_files, inspect
from tests.model_sync import awkward_models as awkward
from tests.support.models import write_adder, write_external_adder

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Write = Callable[[Path, onnx.TensorProto], Path]

WRITERS = [
    awkward.write_adder_of,
    awkward.write_if,
    awkward.write_loop,
    awkward.write_constant_node,
    awkward.write_function,
]
NOT_IN_ONNX_ITSELF = [
    awkward.write_list_of_tensors,
    awkward.write_list_of_graphs,
    awkward.write_sparse,
]


def test_a_model_in_one_file_needs_no_other(tmp_path: Path) -> None:
    assert external_files(write_adder(tmp_path, 1.0), "model.onnx") == ()


@pytest.mark.parametrize("write", WRITERS + NOT_IN_ONNX_ITSELF)
def test_external_data_are_found_wherever_a_tensor_is(tmp_path: Path, write: Write) -> None:
    path = write(tmp_path / "model.onnx", awkward.external("c", location="weights.bin"))
    assert external_files(path, "model.onnx") == ("weights.bin",)


@pytest.mark.parametrize("write", WRITERS)
def test_models_with_their_tensors_inside_are_what_they_say(tmp_path: Path, write: Write) -> None:
    # Else the test above would prove nothing about models that anyone could publish.
    path = write(tmp_path / "model.onnx", awkward.constant("c", [1.0, 2.0]))
    assert external_files(path, "model.onnx") == ()
    assert inspect(path, "model.onnx").outputs[0].name == "y"


def test_files_are_listed_once_and_sorted(tmp_path: Path) -> None:
    tensors = [
        awkward.external(f"c{number}", location=location)
        for number, location in enumerate(["b", "sub/a", "b", "a", "größe"])
    ]
    path = awkward.write(
        tmp_path / "model.onnx",
        [onnx.helper.make_node("Sum", [tensor.name for tensor in tensors], ["y"])],
        outputs=[awkward.value("y", [2])],
        initializers=tensors,
    )
    assert external_files(path, "model.onnx") == ("a", "b", "größe", "sub/a")


@pytest.mark.parametrize(
    "location",
    ["/etc/passwd", "../weights.bin", "sub/../../weights.bin", "..", ".", "", "a\\b", "a\nb", "a/"],
)
@pytest.mark.parametrize("write", WRITERS)
def test_external_data_outside_the_models_folder_are_refused(
    tmp_path: Path, write: Write, location: str
) -> None:
    path = write(tmp_path / "model.onnx", awkward.external("c", location=location))
    with pytest.raises(InspectionError, match="external data outside its folder") as caught:
        external_files(path, "model.onnx")
    assert repr(location) in str(caught.value)


def test_a_model_that_names_itself_as_its_external_data_is_refused(tmp_path: Path) -> None:
    tensor = awkward.external("c", location="graph.onnx")
    path = awkward.write_adder_of(tmp_path / "graph.onnx", tensor)
    with pytest.raises(InspectionError, match=r"^model\.onnx names itself"):
        external_files(path, "model.onnx")


def test_external_data_that_lie_nowhere_are_refused(tmp_path: Path) -> None:
    path = awkward.write_adder_of(tmp_path / "model.onnx", awkward.external("c", offset="0"))
    with pytest.raises(InspectionError, match="external data outside its folder"):
        external_files(path, "model.onnx")


@pytest.mark.parametrize(
    "entries", [{"offset": "abc"}, {"offset": "-4"}, {"length": ""}, {"length": "-1"}]
)
def test_external_data_at_an_impossible_place_are_refused(
    tmp_path: Path, entries: dict[str, str]
) -> None:
    tensor = awkward.external("c", location="weights.bin", **entries)
    path = awkward.write_adder_of(tmp_path / "model.onnx", tensor)
    with pytest.raises(InspectionError, match=r"model\.onnx"):
        external_files(path, "model.onnx")


@pytest.mark.filterwarnings("ignore:Ignoring unknown external data key")
def test_external_data_with_a_key_of_someones_own_are_found(tmp_path: Path) -> None:
    tensor = awkward.external("c", location="weights.bin", note="made by hand")
    path = awkward.write_adder_of(tmp_path / "model.onnx", tensor)
    assert external_files(path, "model.onnx") == ("weights.bin",)


def test_a_model_with_its_data_beside_it_is_inspected(tmp_path: Path) -> None:
    path = write_external_adder(tmp_path, np.ones(2), "weights.bin")
    assert external_files(path, "model.onnx") == ("weights.bin",)
    assert inspect(path, "model.onnx").inputs[0].shape == (-1, 2)


@pytest.mark.parametrize("there", ["nothing", "a folder", "a link out"])
def test_a_model_whose_data_are_missing_is_refused(tmp_path: Path, there: str) -> None:
    path = write_external_adder(tmp_path / "model", np.ones(2), "weights.bin")
    weights = tmp_path / "model" / "weights.bin"
    data = weights.read_bytes()
    weights.unlink()
    match there:
        case "a folder":
            weights.mkdir()
        case "a link out":
            (tmp_path / "outside").write_bytes(data)
            weights.symlink_to("../outside")
    with pytest.raises(InspectionError, match=r"<model.onnx> is not a valid ONNX model"):
        inspect(path, "<model.onnx>")
