"""A version in memory, ready to answer: tensors in, tensors out, and through its pipeline.

A LoadedVersion is complete when it is made (loader.py) and never changes; it may run in several
threads at once and frees its memory when the last reference to it goes.
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

# Where in ONNX Runtime's own source a refusal was raised: no caller's business.
_RUNTIME_SOURCE: Final = re.compile(r"\S*onnxruntime_src/\S+:\d+ [^()]*\([^()]*\)[^A-Za-z0-9]*")

_NO_MEMORY: Final = ("bad_alloc", "allocate memory")
"""How its messages say that there was no memory: from the allocator, and from a pool."""


class Replacement(NamedTuple):
    """The form in which a version goes on once calls come, what it takes, how it is checked."""

    variant: str
    variant_files: VariantFiles
    need: Need
    verify: Verify


class LoadedVersion(NamedTuple):
    """A version in memory, ready to answer.

    `folder` is where its files are; `need`, what it takes of memory; `phases_ms`, how long each
    step of loading it took. `maps_files`: its session may read the version's files while it runs,
    so they must stay where they are (serving/mapped_files.py). `has_bfloat16`: some input or output is BF16.
    `nested` are the graph's outputs that are no tensors, with their types (protocol/sequences.py).
    `unread` is what was left to read and check, for nothing touched it. `packages` is the package
    set that it pins. `variant` is the form that it was loaded in; `fallback`, why it is none that
    was prepared for here, in a line, else None; `replacement`, the one that replaces it
    (serving/form_replacement.py); None: nothing does. `plain_imports`: why its package set is imported without
    its index, in a line, else None.
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
        """The package set that it pins."""
        return self.content.packages

    def run(
        self, tensors: Mapping[str, NDArray[np.generic]], outputs: Sequence[str] | None = None
    ) -> dict[str, NDArray[np.generic]]:
        """Run the graph: arrays that fit the signature in, arrays by output name out.

        `outputs` None gives all of them. Raises BadRequestError where the graph refuses the
        values (dimensions that do not fit each other, an index out of range), OutputError where
        what it gives has no form as tensors.
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
            from inference.protocol import sequences  # noqa: PLC0415 - few models have them

            specs = self.signature.outputs
            return sequences.run(self.session, names, tensors, self.nested, specs)
        if not self.has_bfloat16:
            values: list[NDArray[np.generic]] = self.session.run(names, dict(tensors))
            return values
        from inference.protocol import bfloat16  # noqa: PLC0415 - few models have it

        return bfloat16.run(self.session, names, tensors)

    def predict(self, request: Request, observe: Observe | None = None) -> Response:
        """Answer a request in the model's own terms, through its pipeline.

        `observe` is told what went into the graph and what came out of it. Raises UnknownError
        where the version has no pipeline, BadRequestError, PipelineError.
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
    # ONNX Runtime has no exception of its own for memory that it could not get.
    from_runtime = type(error).__module__.startswith("onnxruntime.")
    return from_runtime and not any(words in str(error) for words in _NO_MEMORY)
