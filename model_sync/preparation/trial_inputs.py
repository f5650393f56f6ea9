"""Inputs for measuring a version: its golden cases, or tensors generated from its signature."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from inference.loading.golden_cases import request_of
from inference.protocol.datatypes import BFLOAT16, DTYPES
from inference.protocol.requests import parse_infer_request

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from inference.loading.loaded_version import LoadedVersion
    from model_store.signature import Signature, TensorSpec
    from model_store.version import VersionContent

_SEED: Final = 7

_MAX_CASES: Final = 2
"""Number of golden cases that are measured, the largest first. All are checked."""


def trial_inputs(
    loaded: LoadedVersion, folder: Path, content: VersionContent
) -> list[dict[str, NDArray[Any]]]:
    """Return the tensors to run, the largest first. The model may refuse generated ones."""
    cases = [_case_tensors(loaded, folder, content, case) for case in content.golden.cases]
    if cases:
        return sorted(cases, key=_size, reverse=True)[:_MAX_CASES]
    return [generate_inputs(loaded.signature)]


def _case_tensors(
    loaded: LoadedVersion, folder: Path, content: VersionContent, case: str
) -> dict[str, NDArray[Any]]:
    request = request_of(folder, content, case)
    if loaded.pipeline is not None:
        return loaded.pipeline.decode(request)
    return parse_infer_request(request.body, loaded.signature).tensors


def _size(tensors: dict[str, NDArray[Any]]) -> int:
    return sum(tensor.size for tensor in tensors.values())


def generate_inputs(signature: Signature) -> dict[str, NDArray[Any]]:
    """Return arrays of the signature's dtypes and shapes, the same each time. Pure.

    Dynamic dimensions have size 1. Floats are normally distributed. Integers are 0 and strings are
    empty, because most graphs accept these as an index or a word.
    """
    random = np.random.default_rng(_SEED)
    return {spec.name: _array(spec, random) for spec in signature.inputs}


def _array(spec: TensorSpec, random: np.random.Generator) -> NDArray[Any]:
    shape = tuple(max(size, 1) if size < 0 else size for size in spec.shape or (1,))
    dtype = DTYPES[spec.datatype]
    if dtype == BFLOAT16:
        return np.zeros(shape, dtype)
    if dtype.kind == "f":
        return random.standard_normal(shape).astype(dtype)
    if dtype.kind == "O":
        return np.full(shape, "", np.object_)
    return np.zeros(shape, dtype)
