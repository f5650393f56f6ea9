"""Inputs made from a signature, for a model that brings no golden case to be measured on. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from inference.protocol.datatypes import BFLOAT16, DTYPES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from model_store.signature import Signature, TensorSpec

_SEED: Final = 7


def made_inputs(signature: Signature) -> dict[str, NDArray[Any]]:
    """Arrays of the signature's dtypes and shapes, the same each time; sizes that are free are 1.

    Floats are normally distributed. Integers are 0 and strings empty: the most likely to be an
    index or a word that a graph knows.
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
