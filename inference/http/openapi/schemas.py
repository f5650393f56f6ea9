"""What bodies look like in the OpenAPI document (document.py), as JSON Schema has it. Pure.

What the server makes is closed: nothing else is in it. What callers send may hold more.
"""

from __future__ import annotations

from typing import Any, Final

from inference.serving.stats import BOUNDS_MS
from model_store.signature import DATATYPES

Json = dict[str, Any]

NAME: Final[Json] = {"type": "string", "pattern": "^[a-z0-9][a-z0-9_-]{0,63}$"}
NUMBER: Final[Json] = {"type": "string", "pattern": "^[1-9][0-9]{0,17}$"}
TEXT: Final[Json] = {"type": "string"}
FLAG: Final[Json] = {"type": "boolean"}
COUNT: Final[Json] = {"type": "integer", "minimum": 0}


def reference(kind: str, name: str) -> Json:
    """Refer to one of the components."""
    return {"$ref": f"#/components/{kind}/{name}"}


def schemas() -> Json:
    """All of them, by their names."""
    numbers = _list(NUMBER)
    tensors = _list(reference("schemas", "TensorMetadata"))
    outputs = _list(reference("schemas", "OutputTensor"))
    inputs = _list(reference("schemas", "InputTensor"))
    wanted = _list(reference("schemas", "WantedOutput"))
    counted = _list(reference("schemas", "VersionStatistics"))
    parameters = {"type": ["object", "null"]}
    shape = {"type": "array", "maxItems": 64, "items": COUNT}
    datatype = {"enum": sorted(DATATYPES)}
    return {
        "Error": _object(
            {"error": {"type": "string", "description": "one line", "pattern": "^[^\\r\\n]+$"}}
        ),
        "Server": _object({"name": TEXT, "version": TEXT, "extensions": _list(TEXT)}),
        "Live": _object({"live": FLAG, "ready": FLAG}),
        "Ready": _object(
            {"live": {"const": True}, "ready": {"const": True}},
            troubles=_list(_object({"model": NAME, "error": TEXT}, version=COUNT)),
        ),
        "Unready": _object({"live": {"const": True}, "ready": {"const": False}, "error": TEXT}),
        "Document": _object({"openapi": TEXT, "info": {"type": "object"}}, closed=False),
        "Nothing": _object({}),
        "Models": _object({"models": _list(NAME)}),
        "TensorMetadata": _object(
            {
                "name": TEXT,
                "datatype": datatype,
                "shape": _list({"type": "integer", "minimum": -1}, "-1: any size, or any sizes"),
            }
        ),
        "Metadata": _object(
            {
                "name": NAME,
                "versions": numbers,
                "platform": {"const": "onnx_onnxv1"},
                "inputs": tensors,
                "outputs": tensors,
            }
        ),
        "ModelReady": _object({"name": NAME, "ready": {"const": True}}),
        "TensorData": {
            "description": "row-major, nested as the shape says or flat",
            "type": ["array", "number", "string", "boolean"],
            "items": reference("schemas", "TensorData"),
        },
        "InputTensor": _object(
            {"name": TEXT, "datatype": datatype, "shape": shape},
            closed=False,
            data=reference("schemas", "TensorData"),
            parameters=_open(parameters, binary_data_size={"type": ["integer", "null"]}),
        ),
        "WantedOutput": _object(
            {"name": TEXT},
            closed=False,
            parameters=_open(parameters, binary_data={"type": ["boolean", "null"]}),
        ),
        "InferRequest": _object(
            {"inputs": inputs},
            closed=False,
            id={"type": ["string", "null"]},
            outputs=wanted | {"type": ["array", "null"], "description": "none: all of them"},
            parameters=_open(parameters, binary_data_output={"type": ["boolean", "null"]}),
        ),
        "OutputTensor": _object(
            {"name": TEXT, "datatype": datatype, "shape": shape},
            data=_list(
                {"type": ["number", "string", "boolean", "null"]},
                "flat, row-major; null: a float that JSON has no form for",
            ),
            parameters=_object({"binary_data_size": COUNT}),
        )
        | {"oneOf": [{"required": ["data"]}, {"required": ["parameters"]}]},
        "InferResponse": _object(
            {"model_name": NAME, "model_version": NUMBER, "outputs": outputs}, id=TEXT
        ),
        "Publication": _publication(),
        "Described": _described(),
        "Config": _config(),
        "Statistics": _object({"model_stats": counted}),
        "VersionStatistics": _statistics(),
        "IndexRequest": _object({}, closed=False, ready=FLAG),
        "Index": _list(
            _object(
                {
                    "name": NAME,
                    "version": NUMBER,
                    "state": {"enum": ["READY", "UNAVAILABLE"]},
                    "reason": TEXT,
                }
            )
        ),
    }


def _publication() -> Json:
    version = _object(
        {
            "version": COUNT,
            "state": {"enum": ["available", "retired"]},
            "published_at": TEXT | {"format": "date-time"},
            "size_bytes": COUNT,
            "ready": FLAG | {"description": "in this environment's memory"},
            "reason": TEXT | {"description": "why it is not ready"},
        }
    )
    by_label = {"type": "object", "propertyNames": NAME, "additionalProperties": COUNT}
    return _object(
        {
            "name": NAME,
            "generation": COUNT,
            "labels": by_label | {"description": "the version that each names"},
            "split": by_label | {"description": "percent of the calls that name no version"},
            "versions": _list(version),
        }
    )


def _described() -> Json:
    size = {"type": "integer", "minimum": -1}
    shape = {"type": ["array", "null"], "items": size, "description": "null: of any rank"}
    tensors = _list(
        _object({"name": TEXT, "datatype": {"enum": sorted(DATATYPES)}, "shape": shape})
    )
    return _object(
        {"name": NAME, "version": COUNT, "pipeline": FLAG, "inputs": tensors, "outputs": tensors}
    )


def _config() -> Json:
    tensor = _object(
        {
            "name": TEXT,
            "data_type": {"type": "string", "pattern": "^TYPE_[A-Z0-9]+$"},
            "dims": _list({"type": "integer", "minimum": -1}),
        }
    )
    policy = _object({"specific": _object({"versions": _list(COUNT)})})
    return _object(
        {
            "name": NAME,
            "platform": {"const": "onnxruntime_onnx"},
            "backend": {"const": "onnxruntime"},
            "max_batch_size": {"const": 0},
            "version_policy": policy,
            "input": _list(tensor),
            "output": _list(tensor),
        }
    )


def _statistics() -> Json:
    duration = _object({"count": COUNT, "ns": COUNT})
    durations = ("success", "fail", "queue", "compute_input", "compute_infer", "compute_output")
    counts = (
        *("last_inference", "inference_count", "execution_count", "loads", "load_failures"),
        *("evictions", "swaps", "replacements", "replacement_failures", "bytes"),
    )
    latencies = [*(f"le_{bound}" for bound in BOUNDS_MS), "count"]
    return _object(
        {
            "name": NAME,
            "version": NUMBER,
            **dict.fromkeys(counts, COUNT),
            "inference_stats": _object(dict.fromkeys(durations, duration)),
            "batch_stats": _list({}),
            "latency_ms": _object(dict.fromkeys(latencies, COUNT)),
            "last_load_ms": {"type": "number"},
            "staleness_s": {"type": "number"},
            "variant": {"type": ["string", "null"]},
        }
    )


def _object(required: Json, *, closed: bool = True, **optional: Json) -> Json:
    """An object; a closed one has nothing else."""
    made: Json = {"type": "object", "properties": required | optional}
    if required:
        made["required"] = list(required)
    return made | ({"additionalProperties": False} if closed else {})


def _open(schema: Json, **properties: Json) -> Json:
    return schema | {"properties": properties}


def _list(items: Json, description: str | None = None) -> Json:
    return {"type": "array", "items": items} | ({"description": description} if description else {})
