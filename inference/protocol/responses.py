"""The Open Inference Protocol: tensors to responses, and a signature to metadata. Pure.

Source: the protocol's "Inference Response JSON Object" and "Model Metadata Response JSON Object".
Requests are in requests.py, the binary tensor extension's format in binary_tensors.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from inference.protocol.binary_tensors import SIZE, join_body, to_bytes
from inference.protocol.datatypes import BFLOAT16, datatype_of
from inference.protocol.json_codec import write
from model_store.signature import DYNAMIC

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    import numpy as np
    from numpy.typing import NDArray

    from model_store.signature import Signature, TensorSpec

PLATFORM: Final = "onnx_onnxv1"


def render_infer_body(
    outputs: Mapping[str, NDArray[np.generic]],
    *,
    model: str,
    version: int,
    request_id: str | None = None,
    binary: Collection[str] = (),
) -> tuple[bytes, int | None]:
    """Return the response's body and the length of its JSON; None if all of it is JSON.

    `binary` names the outputs whose bytes follow the JSON. Data in JSON is flat and row-major; NaN
    and infinity are null.
    """
    response: dict[str, Any] = {"model_name": model, "model_version": str(version)}
    if request_id is not None:
        response["id"] = request_id
    items: list[dict[str, Any]] = []
    tails: list[memoryview | bytes] = []
    for name, tensor in outputs.items():
        item: dict[str, Any] = {
            "name": name,
            "datatype": datatype_of(tensor),
            "shape": list(tensor.shape),
        }
        if name in binary:
            tail = to_bytes(tensor)
            tails.append(tail)
            item["parameters"] = {SIZE: len(tail)}
        else:
            item["data"] = _data(tensor)
        items.append(item)
    response["outputs"] = items
    document = write(response)
    if not tails:
        return document, None
    return join_body(document, tails), len(document)


def render_metadata(name: str, versions: Iterable[int], signature: Signature) -> dict[str, Any]:
    """Return the model metadata response; an input or output of any rank has the shape [-1]."""
    return {
        "name": name,
        "versions": [str(number) for number in versions],
        "platform": PLATFORM,
        "inputs": [_render_spec(spec) for spec in signature.inputs],
        "outputs": [_render_spec(spec) for spec in signature.outputs],
    }


def _data(tensor: NDArray[Any]) -> NDArray[Any]:
    data = tensor.reshape(-1)
    if data.dtype == BFLOAT16:
        from inference.protocol.bfloat16 import to_floats  # noqa: PLC0415 - few models have it

        return to_floats(data)
    return data


def _render_spec(spec: TensorSpec) -> dict[str, Any]:
    shape = [DYNAMIC] if spec.shape is None else list(spec.shape)
    return {"name": spec.name, "datatype": spec.datatype, "shape": shape}
