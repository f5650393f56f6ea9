"""A variant whose outputs differ from the plain one's is refused with the difference."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from inference.protocol.datatypes import BFLOAT16
from model_store.version import GoldenCases
from model_sync.errors import TrialError
from model_sync.preparation.trial_outputs import compare_with_plain, save_plain

if TYPE_CHECKING:
    from pathlib import Path

TOLERANCE = GoldenCases((), rtol=1e-3, atol=1e-2)
NAN, INF = np.nan, np.inf


def held(folder: Path, plain: Any, given: Any) -> None:
    save_plain(folder, 0, {"an/odd name": plain})
    compare_with_plain(folder, 0, {"an/odd name": given}, TOLERANCE)


SAME = {
    "equal": ([1.0, 2.0], [1.0, 2.0]),
    "near zero, by the largest": ([0.0, 100.0], [0.1, 100.0]),
    "not finite, in the same places": ([NAN, INF, -INF, 1.0], [NAN, INF, -INF, 1.0]),
    "of no elements": ([], []),
    "all zero, by atol": ([0.0], [0.01]),
}
OTHERS = {
    "off": ([0.0, 100.0], [0.2, 100.0], r"off by up to 0\.2, where the largest is 100"),
    "zero and too much": ([0.0], [0.02], r"off by up to 0\.02"),
    "a NaN more": ([1.0, 1.0], [NAN, 1.0], "off by up to nan"),
    "a NaN less": ([NAN, 1.0], [1.0, 1.0], "infinities and NaN are at other places"),
    "the other infinity": ([INF], [-INF], "infinities and NaN are at other places"),
}


@pytest.mark.parametrize(("plain", "given"), SAME.values(), ids=SAME)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_what_is_close_is_the_same(tmp_path: Path, plain: Any, given: Any, dtype: Any) -> None:
    held(tmp_path, np.array(plain, dtype), np.array(given, dtype))


@pytest.mark.parametrize(("plain", "given", "said"), OTHERS.values(), ids=OTHERS)
def test_what_is_not_is_refused(tmp_path: Path, plain: Any, given: Any, said: str) -> None:
    with pytest.raises(
        TrialError, match=f"output 'an/odd name' is not the plain variant's: .*{said}"
    ):
        held(tmp_path, np.array(plain, np.float32), np.array(given, np.float32))


@pytest.mark.parametrize(
    "plain",
    [np.array([1, 2]), np.array([True, False]), np.array(["a", "é"], np.object_),
     np.array([(1,), (2,)], BFLOAT16)],
    ids=["integers", "booleans", "strings", "BF16"],
)  # fmt: skip
def test_what_is_no_float_is_equal_or_refused(tmp_path: Path, plain: Any) -> None:
    held(tmp_path, plain, plain.copy())
    with pytest.raises(TrialError, match="its values differ, and are not floats"):
        held(tmp_path, plain, plain[::-1])


def test_another_shape_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TrialError, match=r"its shape is \[2, 1\] and was \[2\]"):
        held(tmp_path, np.zeros(2), np.zeros((2, 1)))
