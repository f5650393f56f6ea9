"""The server under test: what it has is found out here, and requests are made.

Everything is asked over HTTP, once, when a requirement first needs it. Thread-safe once it is.
"""

from __future__ import annotations

import gzip
import json
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any

import httpx

from .answer import JSON_LENGTH, Answer
from .model import Model, read_model
from .requirement import NotOfferedError
from .tensors import as_many, shape_of

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator, Mapping, Sequence

    from .model import Spec
    from .target import Target

TIMEOUT_S = 60


class Server:
    """A server at an address. `models` are its models where they are known already."""

    def __init__(self, target: Target, models: Mapping[str, Model] | None = None) -> None:
        self.target = target
        self._known_models = models
        self._client = httpx.Client(
            timeout=TIMEOUT_S,
            headers={"Accept-Encoding": "identity"},
            trust_env=False,
            verify=_tls_context(),
        )

    def close(self) -> None:
        """Close its connections."""
        self._client.close()

    def get(self, path: str) -> Answer:
        """Ask for an address below the server's own."""
        return self.send("GET", path)

    def post(
        self, path: str, body: object = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Send a JSON document, or bytes as they are."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.send(
            "POST", path, data, {"Content-Type": "application/json", **(headers or {})}
        )

    def send(
        self,
        method: str,
        path: str,
        body: bytes | Iterator[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send anything; the answer's body is as it came, compressed if it is.

        AssertionError where there is no answer.
        """
        try:
            return self._send(method, path, body, headers)
        except httpx.TransportError as error:
            # A server may have closed a connection that was kept: a second one it must answer.
            again = body is None or isinstance(body, bytes)
            if not again or isinstance(error, httpx.ConnectError):
                raise AssertionError(f"{method} {path}: no answer: {error!r}") from None
        try:
            return self._send(method, path, body, headers)
        except httpx.TransportError as error:
            raise AssertionError(f"{method} {path}: no answer: {error!r}") from None

    def _send(
        self,
        method: str,
        path: str,
        body: bytes | Iterator[bytes] | None,
        headers: Mapping[str, str] | None,
    ) -> Answer:
        request = self._client.build_request(
            method, self.target.url + path, content=body, headers=dict(headers or {})
        )
        response = self._client.send(request, stream=True)
        try:
            raw = b"".join(response.iter_raw())
        finally:
            response.close()
        return Answer(response.status_code, response.headers, raw)

    def infer(
        self,
        model: Model | str,
        inputs: Sequence[dict[str, Any]],
        place: str = "",
        **more: object,
    ) -> Answer:
        """Send an inference request in JSON; `more` are the document's other members."""
        return self.post(infer_path(model, place), {"inputs": inputs, **more})

    def infer_binary(
        self,
        model: Model,
        inputs: Sequence[dict[str, Any]],
        tail: bytes,
        headers: Mapping[str, str] | None = None,
        **more: object,
    ) -> Answer:
        """Send an inference request whose tensors' bytes follow its JSON."""
        document = json.dumps({"inputs": inputs, **more}).encode()
        own = {"Content-Type": "application/octet-stream", JSON_LENGTH: str(len(document))}
        return self.post(infer_path(model), document + tail, own | dict(headers or {}))

    @cached_property
    def listed_extensions(self) -> frozenset[str]:
        """Return the extensions that `/v2` lists."""
        listed = self.get("/v2").ok().object().get("extensions")
        return frozenset(each for each in listed or () if isinstance(each, str))

    def offers(self, extension: str) -> bool:
        """Return True if an extension is listed, or expected by the server's description."""
        if extension in self.target.extensions or extension in self.listed_extensions:
            return True
        return extension == "compression" and self._compresses

    @cached_property
    def _compresses(self) -> bool:
        model = self.any_model()
        body = gzip.compress(json.dumps({"inputs": inputs_for(model, 4096)}).encode(), mtime=0)
        sent = {"Content-Encoding": "gzip", "Accept-Encoding": "gzip"}
        return self.post(infer_path(model), body, sent).status == 200

    @cached_property
    def models(self) -> Mapping[str, Model]:
        """The models to try, by name."""
        if self._known_models is not None:
            return self._known_models
        return {name: self._model(name) for name in self.target.models or self._listed_models()}

    def any_model(self) -> Model:
        """A model that takes an input, an identity if there is one."""
        found = [model for model in self.models.values() if model.inputs]
        if not found:
            raise NotOfferedError("a model with an input")
        plain = [each for each in found if each.identity and len(each.inputs) == 1]
        numbers = [each for each in plain if each.inputs[0].datatype == "FP32"]
        return min(numbers or plain or found, key=lambda each: -each.inputs[0].dynamic)

    def identity(self, datatype: str = "FP32", *, least_dynamic: int = 0) -> Model:
        """An identity of one input of a datatype, with so many free sizes at least."""
        found = [
            model
            for model in self.identities(1)
            if model.inputs[0].datatype == datatype and model.inputs[0].dynamic >= least_dynamic
        ]
        if not found:
            free = f" with {least_dynamic} sizes that are free" if least_dynamic else ""
            raise NotOfferedError(f"an identity model of {datatype}{free}")
        return max(found, key=lambda each: each.inputs[0].dynamic)

    def pair(self) -> Model:
        """An identity of two inputs of one datatype or more."""
        for model in self.identities(2):
            if model.inputs[0].datatype == model.inputs[1].datatype == "FP32":
                return model
        raise NotOfferedError("an identity model of two FP32 inputs")

    def identities(self, inputs: int) -> list[Model]:
        """The identities that have so many inputs."""
        return [
            each for each in self.models.values() if each.identity and len(each.inputs) == inputs
        ]

    def versioned(self) -> Model:
        """A model whose versions can be asked for, of as many as possible."""
        found = max(self.models.values(), key=lambda each: len(each.versions), default=None)
        if found is None or not found.versions:
            raise NotOfferedError("a model with versions")
        return found

    def _listed_models(self) -> list[str]:
        index = self.post("/v2/repository/index", {})
        if index.status != 200:
            raise NotOfferedError("a list of its models: name one by --model, or describe them")
        return sorted({entry["name"] for entry in index.json()})

    def _model(self, name: str) -> Model:
        identity = name in self.target.identities or (
            not self.target.identities and name.startswith("identity")
        )
        document = self.get(f"/v2/models/{name}").ok().object()
        return read_model(document, name, identity=identity)


@cache
def _tls_context() -> ssl.SSLContext:
    """Return the context of all clients: loading its certificates takes 25 ms, for each client."""
    return httpx.create_ssl_context(trust_env=False)


def infer_path(model: Model | str, place: str = "") -> str:
    """The address that runs a model; `place` is its version's or label's part."""
    name = model if isinstance(model, str) else model.name
    return f"/v2/models/{name}{place}/infer"


def json_input(spec: Spec, shape: Sequence[int], data: object) -> dict[str, Any]:
    """An input of a request, in JSON."""
    return {"name": spec.name, "shape": list(shape), "datatype": spec.datatype, "data": data}


def binary_input(spec: Spec, shape: Sequence[int], n_bytes: int) -> dict[str, Any]:
    """An input of a request whose bytes follow the JSON."""
    described = json_input(spec, shape, None)
    del described["data"]
    return described | {"parameters": {"binary_data_size": n_bytes}}


def inputs_for(model: Model, count: int = 4) -> list[dict[str, Any]]:
    """Inputs that any model of such metadata takes: of about so many elements each."""
    inputs: list[dict[str, Any]] = []
    for spec in model.inputs:
        shape = shape_of(spec, count)
        values: list[Any] = ["a", "b"] if spec.datatype == "BYTES" else [0, 1]
        if spec.datatype == "BOOL":
            values = [False, True]
        inputs.append(json_input(spec, shape, as_many(values, shape)))
    return inputs
