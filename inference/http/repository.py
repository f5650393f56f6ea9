"""What is published of models, as Triton's clients ask for it, and as people read it. Pure.

Source: Triton's "Model Repository Extension" and "Model Configuration Extension"; perf_analyzer
does not start without the second. What has no counterpart here is left out.
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
    """One model's part of the repository index: its versions, those in this environment READY.

    `failed`: why versions are in quarantine. A version that is neither is UNAVAILABLE with the
    reason that nothing called for it yet, or that it is out of service.
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


def publication(refs: Refs, held: ModelState | None) -> dict[str, Any]:
    """What a model's refs say, and of each version whether it is in this environment's memory.

    `held` is what this environment holds of the model. Versions that are deleted are left out.
    """
    warm, failed = (held.warm, held.failed) if held else ({}, {})
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
    """A model's configuration in Triton's form (`ModelConfig`, as JSON).

    `max_batch_size` 0: shapes are whole, the batch included, as the signature says them.
    """
    return {
        "name": name,
        "platform": "onnxruntime_onnx",
        "backend": "onnxruntime",
        "max_batch_size": 0,
        "version_policy": {"specific": {"versions": sorted(versions)}},
        "input": [_described(spec) for spec in signature.inputs],
        "output": [_described(spec) for spec in signature.outputs],
    }


def _described(spec: TensorSpec) -> dict[str, Any]:
    data_type = "STRING" if spec.datatype == "BYTES" else spec.datatype
    dims = [DYNAMIC] if spec.shape is None else list(spec.shape)
    return {"name": spec.name, "data_type": f"TYPE_{data_type}", "dims": dims}
