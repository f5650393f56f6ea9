"""A version's own code: `decode(request) -> tensors` and `encode(tensors, request) -> answer`.

A pipeline is one Python file, published with its version and immutable like it. It runs when
`/models/NAME/predict` is called: `decode` converts the request's body to the graph's inputs, and
`encode` converts the graph's outputs to the answer. The version's folder has the same layout as the
model's source folder, so `Path(__file__).parent / "config.json"` finds a data file before and after
publishing. A pipeline may import numpy and the packages of its package set.

    def decode(request):                       # Request
        return {"x": numpy.frombuffer(request.body, numpy.uint8)[None].astype(numpy.float32)}

    def encode(outputs, request):              # {name: ndarray}, Request
        return {"mean": float(outputs["y"].mean())}

Each version's pipeline is a module with its own name, so two versions' pipelines can be loaded in
one process. Routes are in http/inference_routes.py; versions are chosen in serving/manager.py.
"""

from __future__ import annotations

import sys
import traceback
import types
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, cast

import numpy

from inference.errors import BadRequestError, PipelineError
from inference.protocol.json_codec import write

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    Tensors = Mapping[str, NDArray[np.generic]]


class Request(NamedTuple):
    """A caller's request: the body's bytes (decompressed), content type and query parameters."""

    body: bytes
    content_type: str = "application/octet-stream"
    parameters: Mapping[str, str] = types.MappingProxyType({})
    """Parameters of the query string; the last value of a repeated parameter."""


class Response(NamedTuple):
    """An answer, text or bytes, with a content type that the pipeline chooses."""

    body: bytes | str
    content_type: str


class _Module(Protocol):
    def decode(self, request: Request) -> Tensors: ...

    def encode(self, outputs: Tensors, request: Request) -> object: ...


class Pipeline:
    """One version's loaded pipeline. Its methods may be called by several threads concurrently."""

    def __init__(self, module: types.ModuleType, where: str) -> None:
        for name in ("decode", "encode"):
            if not callable(getattr(module, name, None)):
                raise PipelineError(f"{where} defines no function {name}()")
        self._module = cast("_Module", module)
        self._where = where

    def decode(self, request: Request) -> dict[str, NDArray[np.generic]]:
        """Convert a request to the graph's inputs.

        Raises BadRequestError, with the pipeline's message, if the pipeline raises ValueError;
        PipelineError if it raises anything else, or does not return a dict of arrays.
        """
        try:
            tensors = self._module.decode(request)
        except ValueError as error:
            raise BadRequestError(f"the input was refused: {_one_line(error)}") from error
        except (Exception, SystemExit) as error:
            raise PipelineError(f"{self._where} failed in decode()", _cause(error)) from error
        if not isinstance(tensors, dict) or not all(
            isinstance(name, str) and isinstance(value, numpy.ndarray)
            for name, value in tensors.items()
        ):
            raise PipelineError(f"{self._where}: decode() did not return a dict of arrays")
        return tensors

    def encode(self, outputs: Tensors, request: Request) -> Response:
        """Convert the graph's outputs to an answer; raises PipelineError.

        The pipeline may return a Response, a body (bytes or str), or a value to write as JSON.
        """
        try:
            answer = self._module.encode(outputs, request)
            return as_response(answer)
        except (Exception, SystemExit) as error:
            raise PipelineError(f"{self._where} failed in encode()", _cause(error)) from error


def load_pipeline(code: bytes, path: Path, name: str) -> Pipeline:
    """Execute a pipeline's file as a module named `name`; raises PipelineError.

    `code` are the file's verified bytes; `path` becomes the module's `__file__`. The module is not
    left in `sys.modules`, so it is freed with its Pipeline.
    """
    module = types.ModuleType(name)
    module.__file__ = str(path)
    # Imports from the version's folder must not write bytecode into it: it is immutable.
    sys.dont_write_bytecode = True
    # Registered during execution, because dataclasses and pickle look their module up by name.
    sys.modules[name] = module
    try:
        exec(compile(code, str(path), "exec", dont_inherit=True), module.__dict__)  # noqa: S102 - the version's own code
    except (Exception, SystemExit) as error:
        raise PipelineError(
            f"{path.name} failed while it was loaded: {_one_line(error)}"
        ) from error
    finally:
        del sys.modules[name]
    return Pipeline(module, path.name)


def as_response(answer: object) -> Response:
    """Convert the return value of `encode` to a Response; raises ValueError or TypeError."""
    match answer:
        case Response():
            return _checked(answer)
        case bytes():
            return Response(answer, "application/octet-stream")
        case str():
            return _checked(Response(answer, "text/plain; charset=utf-8"))
        case _:
            return Response(write(answer).decode(), "application/json")


def _checked(response: Response) -> Response:
    """Check the types and content type of a Response, and decode JSON that is bytes."""
    body: Any = response.body
    content_type: Any = response.content_type
    if not isinstance(body, bytes | str) or not isinstance(content_type, str):
        raise TypeError("a Response takes a body of bytes or text, and a content type of text")
    if not content_type.isascii() or not content_type.isprintable() or not content_type:
        raise ValueError("a content type must be printable ASCII")
    if content_type != content_type.strip():  # no header can have it: the answer could not be sent
        raise ValueError("a content type must not begin or end with a space")
    if isinstance(body, str):
        body.encode()
    elif content_type.startswith("application/json"):
        return Response(body.decode(), content_type)
    return response


def _cause(error: BaseException) -> str:
    """Describe an error in one line: its type, message, and innermost file and line."""
    frames = traceback.extract_tb(error.__traceback__)
    at = f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if frames else ""
    return f"{type(error).__name__}: {_one_line(error)}{at}"


def _one_line(error: BaseException) -> str:
    text = str(error).strip() or type(error).__name__
    return text.splitlines()[0]
