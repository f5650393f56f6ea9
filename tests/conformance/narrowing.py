"""The OpenAPI document, narrowed to what one store has: so that what fits it is to be answered.

The document holds for all models, and so cannot say what one of them takes. Pure.
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any, Final

SIZES: Final = [1, 2, 2]
"""A shape of the model that is called with what fits, and with what does not."""

Json = dict[str, Any]


def with_names(document: Json) -> Json:
    """Calls are for models, versions and labels that are there, and for one that is not."""
    document = deepcopy(document)
    _name(document, ["adder", "echo", "sum", "nosuch"], ["1", "2", "9"], ["latest", "nosuch"])
    return document


def with_one_signature(document: Json) -> Json:
    """Inference calls alone, as JSON, whose body is what `identity-bytes` takes.

    It is one of strings, for JSON Schema does not tell 1 from 1.0, and the server does.
    """
    document = deepcopy(document)
    _name(document, ["identity-bytes"], ["1"], ["latest"])
    paths = document["paths"]
    document["paths"] = {path: item for path, item in paths.items() if path.endswith("/infer")}
    for item in document["paths"].values():
        operation = item["post"]
        del operation["requestBody"]["content"]["application/octet-stream"]
        operation["parameters"] = [
            each
            for each in operation["parameters"]
            if not each["$ref"].endswith(("/JsonLength", "/ContentEncoding"))
        ]
    schemas = document["components"]["schemas"]
    count = SIZES[0] * SIZES[1] * SIZES[2]
    schemas["InputTensor"]["properties"] |= {
        "name": {"const": "in_BYTES"},
        "datatype": {"const": "BYTES"},
        "shape": {"const": SIZES},
        "data": _list_of({"type": "string"}, count, count),
        "parameters": {"type": ["object", "null"], "additionalProperties": {"type": "string"}},
    }
    schemas["InputTensor"]["required"].append("data")
    schemas["WantedOutput"]["properties"]["name"] = {"const": "out_BYTES"}
    request = schemas["InferRequest"]["properties"]
    request["inputs"] |= {"minItems": 1, "maxItems": 1}
    request["outputs"] |= {"maxItems": 1}
    return document


def _name(document: Json, models: list[str], versions: list[str], labels: list[str]) -> None:
    parameters = document["components"]["parameters"]
    for name, known in {"Model": models, "Version": versions, "Label": labels}.items():
        parameters[name]["schema"] = {"type": "string", "enum": known}


def _list_of(items: Json, least: int, most: int) -> Json:
    return {"type": "array", "items": items, "minItems": least, "maxItems": most}
