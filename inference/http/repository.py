"""JSON that describes published models: for Triton's clients and for the page. Pure.

Source: Triton's "Model Repository Extension" and "Model Configuration Extension"; perf_analyzer
does not start without the latter. Fields without a counterpart in Coldpress are left out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from model_store.refs import State
from model_store.signature import DYNAMIC

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from inference.serving.status import ModelState
    from model_store.refs import Refs
    from model_store.signature import Signature, TensorSpec

READY: Final = "READY"
UNAVAILABLE: Final = "UNAVAILABLE"


def index_entries(
    refs: Refs, warm: Collection[int], failed: Mapping[int, str], *, ready_only: bool
) -> list[dict[str, Any]]:
    """Return one model's entries in the repository index: READY for the `warm` versions.

    `failed` are the reasons of versions in quarantine. Other versions are UNAVAILABLE because they
    are retired or not loaded in this environment. Deleted versions are listed only while warm.
    """
    entries: list[dict[str, Any]] = []
    for number, entry in sorted(refs.versions.items()):
        if number in warm:
            state, reason = READY, ""
        elif ready_only or entry.state is State.DELETED:
            continue
        elif entry.state is State.RETIRED:
            state, reason = UNAVAILABLE, "retired"
        else:
            state, reason = UNAVAILABLE, failed.get(number, "not loaded in this environment")
        entries.append(
            {"name": refs.model, "version": str(number), "state": state, "reason": reason}
        )
    return entries


def describe_refs(refs: Refs, state: ModelState | None) -> dict[str, Any]:
    """Describe a model's refs, and each version's state in this environment.

    `state` is the model's state in this environment, None if it has none.
    """
    warm, failed = (state.warm, state.failed) if state else ({}, {})
    versions = []
    for indexed in index_entries(refs, warm, failed, ready_only=False):
        number = int(indexed["version"])
        entry = refs.versions[number]
        versions.append(
            {
                "version": number,
                "state": str(entry.state),
                "published_at": entry.published_at,
                "size_bytes": entry.size_bytes,
                "ready": indexed["state"] == READY,
                "reason": indexed["reason"],
            }
        )
    return {
        "name": refs.model,
        "generation": refs.generation,
        "labels": dict(refs.labels),
        "split": dict(refs.split),
        "versions": versions,
    }


def model_config(name: str, signature: Signature, versions: Collection[int]) -> dict[str, Any]:
    """Return a model's configuration in Triton's format (`ModelConfig`, as JSON).

    `max_batch_size` is 0: shapes include the batch dimension, as in the signature.
    """
    return {
        "name": name,
        "platform": "onnxruntime_onnx",
        "backend": "onnxruntime",
        "max_batch_size": 0,
        "version_policy": {"specific": {"versions": sorted(versions)}},
        "input": [_tensor_config(spec) for spec in signature.inputs],
        "output": [_tensor_config(spec) for spec in signature.outputs],
    }


def _tensor_config(spec: TensorSpec) -> dict[str, Any]:
    data_type = "STRING" if spec.datatype == "BYTES" else spec.datatype
    dims = [DYNAMIC] if spec.shape is None else list(spec.shape)
    return {"name": spec.name, "data_type": f"TYPE_{data_type}", "dims": dims}
