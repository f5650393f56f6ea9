"""A version's own code: `decode(request) -> tensors` and `encode(tensors, request) -> answer`.

A pipeline is one Python file, published with its version and never changed after it. It runs
when `/models/NAME/predict` is called: `decode` turns the request's body into the graph's inputs,
`encode` turns the graph's outputs into the answer. Its data files lie beside it, where they lay
in the model's folder, so `Path(__file__).parent / "config.json"` finds them before and after
publishing. It may import numpy and what its package set holds.

    def decode(request):                       # Request
        return {"x": numpy.frombuffer(request.body, numpy.uint8)[None].astype(numpy.float32)}

    def encode(outputs, request):              # {name: ndarray}, Request
        return {"mean": float(outputs["y"].mean())}

Each version's pipeline is a module of its own name, so that two versions' code live side by side.
What is not here: HTTP (http/inference_routes.py) and which version to run (serving/manager.py).
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
    """What a caller sent: the body's bytes, as they came."""

    body: bytes
    content_type: str = "application/octet-stream"
    parameters: Mapping[str, str] = types.MappingProxyType({})
    """The query string's parameters; of a repeated one, the last."""


class Response(NamedTuple):
    """An answer whose content type the pipeline chooses: text or bytes."""

    body: bytes | str
    content_type: str


class _Module(Protocol):
    def decode(self, request: Request) -> Tensors: ...

    def encode(self, outputs: Tensors, request: Request) -> object: ...


class Pipeline:
    """One version's pipeline, loaded. Its two calls may run in several threads at once."""

    def __init__(self, module: types.ModuleType, where: str) -> None:
        for name in ("decode", "encode"):
            if not callable(getattr(module, name, None)):
                raise PipelineError(f"{where} defines no function {name}()")
        self._module = cast("_Module", module)
        self._where = where

    def decode(self, request: Request) -> dict[str, NDArray[np.generic]]:
        """Turn a request into the graph's inputs.

        A ValueError from the pipeline is a BadRequestError with its message; anything else that
        it raises, or a result that is no mapping of arrays, is a PipelineError.
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
        """Turn the graph's outputs into an answer; raises PipelineError.

        A Response stands as it is, bytes and str become a body, anything else becomes JSON.
        """
        try:
            answer = self._module.encode(outputs, request)
            return as_response(answer)
        except (Exception, SystemExit) as error:
            raise PipelineError(f"{self._where} failed in encode()", _cause(error)) from error


def load_pipeline(code: bytes, path: Path, name: str) -> Pipeline:
    """Run a pipeline's file as a module of its own, named `name`, and check that it has its calls.

    `code` is the file's checked bytes, `path` where they lie (its `__file__`). The module is not
    left in `sys.modules`: it lives as long as its Pipeline. Raises PipelineError.
    """
    module = types.ModuleType(name)
    module.__file__ = str(path)
    # What a pipeline imports from its version's folder must leave no bytecode there: what is
    # published never changes.
    sys.dont_write_bytecode = True
    # Registered while it runs: dataclasses and pickles look their own module up by name.
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
    """Give any answer of a pipeline a body and a content type; raises ValueError or TypeError."""
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
    """Hold a Response against what its fields promise: the pipeline made it."""
    body: Any = response.body
    content_type: Any = response.content_type
    if not isinstance(body, bytes | str) or not isinstance(content_type, str):
        raise TypeError("a Response is of bytes or text, and of a content type")
    if not content_type.isascii() or not content_type.isprintable() or not content_type:
        raise ValueError("a content type is printable ASCII")
    if content_type != content_type.strip():  # no header has it: no answer could be sent
        raise ValueError("a content type has no space around it")
    if isinstance(body, str):
        body.encode()
    elif content_type.startswith("application/json"):
        return Response(body.decode(), content_type)
    return response


def _cause(error: BaseException) -> str:
    """What was raised, and the innermost line of it."""
    frames = traceback.extract_tb(error.__traceback__)
    at = f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if frames else ""
    return f"{type(error).__name__}: {_one_line(error)}{at}"


def _one_line(error: BaseException) -> str:
    text = str(error).strip() or type(error).__name__
    return text.splitlines()[0]
