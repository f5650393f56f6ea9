"""Save the plain variant's outputs, and compare the outputs of other variants with them.

Another variant adds the same products in another order, so an element near zero may differ by more
than its own size. The tolerance for a tensor's floats is therefore relative to its largest element
(a normwise error). Before this comparison, every variant has passed the golden cases element by
element.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from inference.protocol.datatypes import BFLOAT16
from model_sync.errors import TrialError
from model_sync.store_io.disk_space import naming

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from model_store.version import GoldenCases


def save_plain(folder: Path, number: int, outputs: Mapping[str, NDArray[Any]]) -> None:
    """Write the plain variant's outputs of one run."""
    path = folder / f"plain-{number}.npz"
    with naming(str(path)), path.open("wb") as stream:
        np.savez(stream, allow_pickle=False, **_numbered(outputs))


def has_plain(folder: Path) -> bool:
    """Return True if outputs of the plain variant were saved."""
    return (folder / "plain-0.npz").exists()


def compare_with_plain(
    folder: Path, number: int, outputs: Mapping[str, NDArray[Any]], tolerance: GoldenCases
) -> None:
    """Raise TrialError if another variant's outputs of that run differ."""
    with np.load(folder / f"plain-{number}.npz", allow_pickle=False) as plain_outputs:
        for (key, given), name in zip(_numbered(outputs).items(), outputs, strict=True):
            difference = _difference(plain_outputs[key], given, tolerance)
            if difference:
                raise TrialError(f"its output {name!r} is not the plain variant's: {difference}")


def _numbered(outputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Name outputs by number, since their names may be no file names; give strings a str dtype."""
    return {
        f"output_{number}": tensor.astype(np.str_) if tensor.dtype.kind == "O" else tensor
        for number, tensor in enumerate(outputs.values())
    }


def _difference(plain: NDArray[Any], given: NDArray[Any], tolerance: GoldenCases) -> str | None:
    if plain.shape != given.shape:
        return f"its shape is {list(given.shape)} and was {list(plain.shape)}"
    if plain.dtype.kind != "f" or plain.dtype == BFLOAT16:
        return None if bool(np.all(plain == given)) else "its values differ, and are not floats"
    finite = np.isfinite(plain)
    if not np.array_equal(given[~finite], plain[~finite], equal_nan=True):
        return "its infinities and NaN are at other places"
    wide = plain[finite].astype(np.float64)
    off = float(np.max(np.abs(given[finite] - wide), initial=0.0))
    largest = float(np.max(np.abs(wide), initial=0.0))
    if off <= tolerance.atol + tolerance.rtol * largest:
        return None
    return f"it is off by up to {off:.3g}, where the largest is {largest:.3g}"
