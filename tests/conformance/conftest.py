"""One real server, over real HTTP, for real clients: a model for each thing that they may send."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from onnx import TensorProto

from tests.conformance.protocol.target import Target
from tests.support.commands import serving
from tests.support.models import write_identities, write_identity, write_pair, write_sum
from tests.support.stores import publish_adder, publish_folder
from tests.support.surface import ECHO

if TYPE_CHECKING:
    from collections.abc import Iterator

TYPES = {
    "BOOL": TensorProto.BOOL,
    "UINT8": TensorProto.UINT8,
    "UINT16": TensorProto.UINT16,
    "UINT32": TensorProto.UINT32,
    "UINT64": TensorProto.UINT64,
    "INT8": TensorProto.INT8,
    "INT16": TensorProto.INT16,
    "INT32": TensorProto.INT32,
    "INT64": TensorProto.INT64,
    "FP16": TensorProto.FLOAT16,
    "BF16": TensorProto.BFLOAT16,
    "FP32": TensorProto.FLOAT,
    "FP64": TensorProto.DOUBLE,
    "BYTES": TensorProto.STRING,
}


@pytest.fixture(scope="session")
def base_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server that has `adder` (2 versions), `echo`, `sum` and identities."""
    root = tmp_path_factory.mktemp("conformance")
    store = root / "store"
    for constant in (100.0, 200.0):
        publish_adder(store, constant)
    publish_adder(store, 1.0, name="echo", pipeline=ECHO)
    write_sum(root / "sum")
    publish_folder(store, root / "sum")
    for datatype, onnx_type in TYPES.items():
        folder = root / f"identity-{datatype.lower()}"
        write_identities(folder, {datatype: onnx_type})
        publish_folder(store, folder)
    shapes: dict[str, list[int | str]] = {"scalar": [], "row": [-1]}
    for name, shape in shapes.items():
        write_identity(root / f"identity-{name}", TensorProto.FLOAT, shape=shape)
        publish_folder(store, root / f"identity-{name}")
    write_pair(root / "identity-pair")
    publish_folder(store, root / "identity-pair")
    with serving(root / "stderr", "--store", store, "--model", "echo") as server:
        yield server.url


@pytest.fixture(scope="session")
def target(base_url: str) -> Target:
    """Describe that server to the protocol's suite: it must offer all optional parts."""
    return Target(
        base_url,
        extensions=("compression", "labels"),
        labels=(("adder", "latest"),),
        everything=True,
    )
