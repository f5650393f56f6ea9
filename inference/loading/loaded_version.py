"""A version in memory, ready to answer: arrays in, arrays out, directly or through its pipeline.

A LoadedVersion is complete when loader.py creates it and never changes. Several threads may run it
at once. Its memory is freed when the last reference to it is gone.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from inference.errors import BadRequestError, PipelineError, UnknownError
from inference.protocol.requests import check_tensors
from model_store.variant import PLAIN

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from inference.loading.memory_need import Need
    from inference.loading.read_plan import FileRange
    from inference.loading.variant_files import VariantFiles
    from inference.pipeline import Pipeline, Request, Response
    from inference.settings import Verify
    from model_store.digests import Digest
    from model_store.signature import Signature
    from model_store.version import VersionContent

    Tensors = Mapping[str, NDArray[np.generic]]
    Observe = Callable[[Tensors, Tensors], None]

# The place in ONNX Runtime's source that raised a refusal. Callers do not need it.
_RUNTIME_SOURCE: Final = re.compile(r"\S*onnxruntime_src/\S+:\d+ [^()]*\([^()]*\)[^A-Za-z0-9]*")

_NO_MEMORY: Final = ("bad_alloc", "allocate memory")
"""Texts in ONNX Runtime's messages when its allocator or a pool of it got no memory."""


class Replacement(NamedTuple):
    """The variant that replaces a loaded one once calls come: its files, memory need and checks."""

    variant: str
    variant_files: VariantFiles
    need: Need
    verify: Verify


class LoadedVersion(NamedTuple):
    """A version in memory, ready to answer.

    - `folder`: the folder of the version's files.
    - `need`: the memory that the version takes.
    - `maps_files`: the session may read the version's files while it runs, so the files must stay
      in place (serving/mapped_files.py).
    - `has_bfloat16`: an input or output is BF16.
    - `nested`: the types of those of the graph's outputs that are not tensors, by name
      (protocol/sequences.py).
    - `unread`: file ranges that the load neither read nor checked, because it did not need them.
    - `phases_ms`: the duration of each step of the load.
    - `variant`: the name of the loaded variant.
    - `fallback`: in one line, why it is not the variant chosen for this runtime; else None.
    - `replacement`: the variant that replaces it (serving/variant_replacement.py), or None.
    - `plain_imports`: in one line, why its package set is imported without the index; else None.
    """

    model: str
    number: int
    digest: str
    signature: Signature
    session: Any
    pipeline: Pipeline | None
    folder: Path
    content: VersionContent
    need: Need
    maps_files: bool
    has_bfloat16: bool
    nested: Mapping[str, str]
    unread: tuple[FileRange, ...]
    phases_ms: Mapping[str, float]
    variant: str = PLAIN
    fallback: str | None = None
    replacement: Replacement | None = None
    plain_imports: str | None = None

    @property
    def packages(self) -> Digest | None:
        """The package set that the version pins."""
        return self.content.packages

    def run(
        self, tensors: Mapping[str, NDArray[np.generic]], outputs: Sequence[str] | None = None
    ) -> dict[str, NDArray[np.generic]]:
        """Run the graph on arrays that fit the signature; return its output arrays by name.

        `outputs` names the outputs to return; None is all of them. Raises BadRequestError if the
        graph refuses the values (dimensions that do not match each other, an index out of range),
        and OutputError if an output cannot be represented as tensors.
        """
        names = list(outputs or (spec.name for spec in self.signature.outputs))
        try:
            values = self._run(names, tensors)
        except Exception as error:
            if not _is_refusal(error):
                raise
            reason = _RUNTIME_SOURCE.sub("", str(error).splitlines()[0])
            raise BadRequestError(f"the model refused the input: {reason}") from error
        return dict(zip(names, values, strict=True))

    def _run(
        self, names: list[str], tensors: Mapping[str, NDArray[np.generic]]
    ) -> list[NDArray[np.generic]]:
        if self.nested:
            from inference.protocol import sequences  # noqa: PLC0415 - few models have sequences

            specs = self.signature.outputs
            return sequences.run(self.session, names, tensors, self.nested, specs)
        if not self.has_bfloat16:
            values: list[NDArray[np.generic]] = self.session.run(names, dict(tensors))
            return values
        from inference.protocol import bfloat16  # noqa: PLC0415 - few models have BF16

        return bfloat16.run(self.session, names, tensors)

    def predict(self, request: Request, observe: Observe | None = None) -> Response:
        """Answer a request through the version's pipeline.

        `observe` is called with the graph's inputs and outputs. Raises UnknownError if the version
        has no pipeline, BadRequestError, PipelineError.
        """
        if self.pipeline is None:
            raise UnknownError(
                f"model {self.model!r} has no pipeline: call /v2/models/{self.model}/infer"
            )
        tensors = self.pipeline.decode(request)
        try:
            check_tensors(tensors, self.signature.inputs)
        except BadRequestError as error:
            raise PipelineError(f"decode() does not fit the model: {error}") from error
        outputs = self.run(tensors)
        if observe:
            observe(tensors, outputs)
        return self.pipeline.encode(outputs, request)


def _is_refusal(error: Exception) -> bool:
    # ONNX Runtime has no exception type for a failed allocation.
    from_runtime = type(error).__module__.startswith("onnxruntime.")
    return from_runtime and not any(words in str(error) for words in _NO_MEMORY)
