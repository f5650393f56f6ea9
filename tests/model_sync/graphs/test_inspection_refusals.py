"""Files that are not servable ONNX models. Each message is one line that names the file."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest
from onnx import helper

from model_sync.errors import InspectionError
from model_sync.graphs.inspection import external_files, inspect
from tests.model_sync import awkward_models as awkward
from tests.support.models import write_adder


def _refusal(path: Path) -> str:
    with pytest.raises(InspectionError) as caught:
        inspect(path, "<model.onnx>")
    message = str(caught.value)
    assert message.startswith("<model.onnx>")
    assert len(message.splitlines()) == 1
    return message


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x00",
        b"not a model at all",
        b"\x89PNG\r\n\x1a\n" + bytes(64),
        b"PK\x03\x04" + bytes(64),
        b"<html></html>",
        b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n",
        b"\xff" * 1000,
        b"\x08\x0a",
    ],
    ids=["empty", "null", "text", "png", "zip", "html", "lfs pointer", "ones", "version only"],
)
def test_what_is_no_onnx_model_is_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(data)
    assert "is not an ONNX model" in _refusal(path)
    with pytest.raises(InspectionError, match=r"<model\.onnx> is not an ONNX model"):
        external_files(path, "<model.onnx>")


def test_a_model_cut_short_anywhere_is_refused(tmp_path: Path) -> None:
    whole = write_adder(tmp_path, 1.0).read_bytes()
    path = tmp_path / "cut.onnx"
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        _refusal(path)


def test_a_model_with_a_changed_byte_never_raises_anything_else(tmp_path: Path) -> None:
    whole = write_adder(tmp_path, 1.0).read_bytes()
    path = tmp_path / "changed.onnx"
    for place in range(len(whole)):
        for value in (0x00, 0xFF, whole[place] ^ 0x01, whole[place] ^ 0x80):
            path.write_bytes(whole[:place] + bytes([value]) + whole[place + 1 :])
            try:
                external_files(path, "<model.onnx>")
                inspect(path, "<model.onnx>")
            except InspectionError as error:
                assert len(str(error).splitlines()) == 1  # noqa: PT017 - many changes do no harm


def test_a_graph_of_no_stated_format_is_no_model(tmp_path: Path) -> None:
    path = write_adder(tmp_path, 1.0)
    model = onnx.load_model(str(path))
    model.ClearField("ir_version")
    path.write_bytes(model.SerializeToString())
    assert "is not an ONNX model" in _refusal(path)


def test_a_missing_file_is_no_model(tmp_path: Path) -> None:
    assert "is not an ONNX model" in _refusal(tmp_path / "missing.onnx")


def test_a_graph_that_the_checker_refuses_is_refused_with_its_reason(tmp_path: Path) -> None:
    path = awkward.write(
        tmp_path / "model.onnx",
        [helper.make_node("Add", ["x", "nowhere"], ["y"])],
        inputs=[awkward.value("x", [2])],
        outputs=[awkward.value("y", [2])],
    )
    assert "is not a valid ONNX model: " in _refusal(path)
    assert "nowhere" in _refusal(path)


def test_an_operator_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    path = awkward.write(
        tmp_path / "model.onnx",
        [helper.make_node("NoSuchOperator", ["x"], ["y"])],
        inputs=[awkward.value("x", [2])],
        outputs=[awkward.value("y", [2])],
    )
    assert "NoSuchOperator" in _refusal(path)


def test_a_graph_without_nodes_is_refused(tmp_path: Path) -> None:
    path = awkward.write(tmp_path / "model.onnx", [])
    assert "it holds no graph" in _refusal(path)


def test_a_model_without_output_is_refused(tmp_path: Path) -> None:
    path = awkward.write(
        tmp_path / "model.onnx",
        [helper.make_node("Identity", ["x"], ["y"])],
        inputs=[awkward.value("x", [2])],
    )
    assert "has no output" in _refusal(path)


def test_a_sequence_as_an_input_is_refused(tmp_path: Path) -> None:
    tensor = helper.make_tensor_type_proto(awkward.FLOAT, [2])
    given = helper.make_value_info("x", helper.make_sequence_type_proto(tensor))
    path = awkward.write(
        tmp_path / "model.onnx",
        [helper.make_node("ConcatFromSequence", ["x"], ["y"], axis=0)],
        inputs=[given],
        outputs=[awkward.value("y", [2])],
    )
    assert "the input 'x' is no tensor and cannot be served" in _refusal(path)


def test_an_optional_output_is_refused(tmp_path: Path) -> None:
    tensor = helper.make_tensor_type_proto(awkward.FLOAT, [2])
    given = helper.make_value_info("y", helper.make_optional_type_proto(tensor))
    path = awkward.write(
        tmp_path / "model.onnx",
        [helper.make_node("Optional", ["x"], ["y"])],
        inputs=[awkward.value("x", [2])],
        outputs=[given],
    )
    assert "the output 'y' is no tensor, map, or sequence of them" in _refusal(path)


def test_an_output_named_as_the_keys_of_a_map_is_refused(tmp_path: Path) -> None:
    path = awkward.write_zipmap(tmp_path / "model.onnx", also="probabilities.keys")
    assert "'probabilities.keys' names two outputs" in _refusal(path)


def test_an_optional_input_is_refused(tmp_path: Path) -> None:
    tensor = helper.make_tensor_type_proto(awkward.FLOAT, [2])
    given = helper.make_value_info("x", helper.make_optional_type_proto(tensor))
    path = awkward.write(
        tmp_path / "model.onnx",
        [helper.make_node("OptionalGetElement", ["x"], ["y"])],
        inputs=[given],
        outputs=[awkward.value("y", [2])],
    )
    message = _refusal(path)
    assert "the input 'x' is no tensor" in message


def test_a_model_of_a_format_yet_to_come_is_refused(tmp_path: Path) -> None:
    path = write_adder(tmp_path, 1.0)
    model = onnx.load_model(str(path))
    model.ir_version = 10_000
    path.write_bytes(model.SerializeToString())
    assert "is not a valid ONNX model" in _refusal(path)


def test_a_file_that_cannot_be_read_is_not_called_no_model() -> None:
    with pytest.raises(OSError, match="Input/output error: '/proc/self/mem'"):
        inspect(Path("/proc/self/mem"), "<model.onnx>")
