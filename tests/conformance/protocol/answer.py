"""A server's answer, and checks that hold for every answer."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    import httpx

JSON_LENGTH = "Inference-Header-Content-Length"


@dataclass(frozen=True, slots=True)
class Answer:
    """A status, headers and the body as it came."""

    status: int
    headers: httpx.Headers
    body: bytes

    def ok(self) -> Answer:
        """Return itself; its status is 200."""
        assert self.status == 200, f"status {self.status}, expected 200: {self.body[:200]!r}"
        return self

    def json(self) -> Any:
        """Return the body as JSON, strictly: NaN and Infinity are not JSON."""
        return _read(self.body)

    def object(self) -> dict[str, Any]:
        """Return the body, which is a JSON object."""
        found = self.json()
        assert isinstance(found, dict), f"not a JSON object: {self.body[:200]!r}"
        return found

    def split(self) -> tuple[dict[str, Any], bytes]:
        """Return the JSON of an answer that holds bytes too, and these."""
        length = self.headers.get(JSON_LENGTH)
        assert length is not None, f"no header {JSON_LENGTH}"
        assert length.isdecimal(), f"{JSON_LENGTH} is {length!r}"
        found = _read(self.body[: int(length)])
        assert isinstance(found, dict), "the JSON before the bytes is not an object"
        return found, self.body[int(length) :]

    def is_json(self) -> None:
        """Hold the content type against JSON's."""
        found = self.headers.get("content-type", "")
        assert found.split(";")[0].strip() == "application/json", f"Content-Type is {found!r}"

    def is_error(self) -> None:
        """Hold it against the error object."""
        assert self.status >= 400, f"status {self.status}, expected an error: {self.body[:200]!r}"
        text = self.object().get("error")
        assert isinstance(text, str), f"no string at 'error': {self.body[:200]!r}"
        assert text.strip(), "the error says nothing"


def outputs_of(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return an inference response's outputs by name; each has all that it must have."""
    assert isinstance(document.get("model_name"), str), "no string at 'model_name'"
    outputs = document.get("outputs")
    assert isinstance(outputs, list), "no list at 'outputs'"
    found: dict[str, dict[str, Any]] = {}
    for output in outputs:
        assert isinstance(output, dict), f"an output is no object: {output!r}"
        name = output.get("name")
        assert isinstance(name, str), f"an output without a name: {output!r}"
        assert name not in found, f"the output {name!r} comes twice"
        assert isinstance(output.get("datatype"), str), f"{name!r} has no datatype"
        shape = output.get("shape")
        assert isinstance(shape, list), f"{name!r} has no shape"
        assert all(type(size) is int and size >= 0 for size in shape), f"{name!r}: shape {shape}"
        found[name] = output
    return found


def elements_of(output: dict[str, Any]) -> list[Any]:
    """Return an output's JSON data in row-major order: it may come flat, or nested as its shape."""
    name, shape = output["name"], output["shape"]
    data = output.get("data")
    assert isinstance(data, list), f"{name!r} has no list at 'data'"
    flat = data
    if data and isinstance(data[0], list):
        for size in shape[1:]:
            assert all(isinstance(row, list) and len(row) == size for row in flat), (
                f"the data of {name!r} nests otherwise than its shape {shape}"
            )
            flat = [item for row in flat for item in row]
    count = math.prod(shape)
    assert len(flat) == count, f"{name!r} has {len(flat)} elements, expected {count} for {shape}"
    return flat


def _read(text: bytes) -> Any:
    try:
        return json.loads(text, parse_constant=_no_constants)
    except ValueError as error:
        raise AssertionError(f"not JSON ({error}): {text[:200]!r}") from None


def _no_constants(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON value")
