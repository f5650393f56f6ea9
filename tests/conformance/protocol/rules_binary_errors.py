"""Requirements of binary data of a wrong length: it is refused, and no data is invented."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from .answer import JSON_LENGTH
from .requirement import extension
from .rules_binary import OFFERED, SECTION
from .server import binary_input
from .tensors import as_many, shape_of, to_bytes

if TYPE_CHECKING:
    from .server import Server

asked = partial(extension, OFFERED)


def _refused(server: Server, *, stated: int = 0, given: int = 0, header: int = 0) -> None:
    """Four FP32 elements, with some bytes more or less than there should be."""
    model = server.identity()
    shape = shape_of(model.inputs[0], 4)
    data = to_bytes(as_many([1.0], shape), "FP32")
    item = binary_input(model.inputs[0], shape, len(data) + stated)
    tail = data + b"\0" * given if given >= 0 else data[:given]
    sent = {JSON_LENGTH: str(header)} if header else {}
    found = server.infer_binary(model, [item], tail, sent)
    found.is_error()
    assert found.status < 500, f"status {found.status}, expected 4xx"


@asked("binary.error.too-few", f"{SECTION}: binary_data_size")
def fewer_bytes_than_the_shape_needs_are_refused(server: Server) -> None:
    _refused(server, stated=-4, given=-4)


@asked("binary.error.too-many", f"{SECTION}: binary_data_size")
def more_bytes_than_the_shape_needs_are_refused(server: Server) -> None:
    _refused(server, stated=4, given=4)


@asked("binary.error.cut-off", f"{SECTION}: binary_data_size")
def a_body_that_ends_within_a_tensor_is_refused(server: Server) -> None:
    _refused(server, given=-4)


@asked("binary.error.left-over", f"{SECTION}: order of the tensors")
def bytes_that_belong_to_no_tensor_are_refused(server: Server) -> None:
    _refused(server, given=4)


@asked("binary.error.json-length", f"{SECTION}: Inference-Header-Content-Length")
def more_json_than_there_is_body_is_refused(server: Server) -> None:
    _refused(server, header=10**6)
