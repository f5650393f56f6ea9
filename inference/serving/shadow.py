"""Run the version that the label `shadow` names on a sample of calls, and compare answers.

The shadow's answer is never returned. The shadow runs in the background after the caller's answer
was computed, on the same tensors as the answering version's session; the difference between both
answers is reported. On Lambda it runs in the time of the extension (lambda_runtime/extension.py),
which is billed: a sample of 10 percent of calls adds a tenth of the shadow's run time, and the
shadow's memory.

One run is in progress at a time; calls during that run are not sampled.
"""

from __future__ import annotations

import random
import threading
import time
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from inference.errors import ServingError
from inference.serving.warm_models import SHADOW
from inference.telemetry import count_shadow, count_shadow_error, logger

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from inference.loading.loaded_version import LoadedVersion, Tensors
    from inference.process.background import Background
    from inference.serving.manager import Manager


class Disagreement(NamedTuple):
    """The difference between two answers.

    - `max_difference`: the largest absolute difference of two numbers; infinite where one is NaN
      and the other is not.
    - `flips`: of `rows`, the number whose class differs (the index of the largest number along the
      last axis); of outputs that are not floats, the number of elements that differ.
    """

    max_difference: float
    flips: int
    rows: int


def compare(answer: Tensors, shadow: Tensors) -> Disagreement:
    """Compare outputs by name; raises ValueError where names or shapes are not the same."""
    if answer.keys() != shadow.keys():
        raise ValueError(f"outputs are {sorted(shadow)}, not {sorted(answer)}")
    difference, flips, rows = 0.0, 0, 0
    for name, expected in answer.items():
        actual = shadow[name]
        if expected.shape != actual.shape:
            raise ValueError(f"{name} has shape {actual.shape}, not {expected.shape}")
        if np.issubdtype(expected.dtype, np.floating):
            part = _compare_floats(expected, actual)
        else:
            unequal = int(np.count_nonzero(expected != actual))
            part = Disagreement(0.0, unequal, expected.size)
        difference = max(difference, part.max_difference)
        flips, rows = flips + part.flips, rows + part.rows
    return Disagreement(difference, flips, rows)


def _compare_floats(expected: NDArray[np.generic], actual: NDArray[np.generic]) -> Disagreement:
    if not expected.size:
        return Disagreement(0.0, 0, 0)
    one, other = expected.astype(np.float64), actual.astype(np.float64)
    same = (one == other) | (np.isnan(one) & np.isnan(other))
    with np.errstate(invalid="ignore"):  # two infinities
        gaps = np.where(same, 0.0, np.abs(one - other))
    difference = float(np.max(np.where(np.isnan(gaps), np.inf, gaps)))
    if not one.ndim or one.shape[-1] < 2:
        return Disagreement(difference, 0, 0)
    flips = np.count_nonzero(one.argmax(-1) != other.argmax(-1))
    return Disagreement(difference, int(flips), one.size // one.shape[-1])


def _copy(tensors: Tensors) -> Tensors:
    return {name: tensor.copy() for name, tensor in tensors.items()}


class Shadow:
    """The shadow runs of one environment. `percent`: of calls to sample."""

    def __init__(
        self,
        manager: Manager,
        background: Background,
        *,
        percent: float,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self._manager = manager
        self._background = background
        self._percent = percent
        self._draw = draw
        self._running = threading.Lock()

    def observe(self, loaded: LoadedVersion, tensors: Tensors, outputs: Tensors) -> None:
        """Start a shadow run on a version's tensors if the call is sampled; raises nothing.

        Tensors and outputs are copied: a pipeline may reuse its arrays or change them in place.
        """
        number = self._manager.labelled(loaded.model, SHADOW)
        if number in {None, loaded.number} or self._draw() * 100 >= self._percent:
            return
        if not self._running.acquire(blocking=False):
            return
        inputs, expected = _copy(tensors), _copy(outputs)
        self._background.start(
            lambda: self._run(loaded.model, inputs, expected), "coldpress-shadow"
        )

    def _run(
        self, model: str, tensors: Tensors, outputs: Mapping[str, NDArray[np.generic]]
    ) -> None:
        try:
            loaded = self._manager.resolve(model, label=SHADOW).loaded
            started = time.perf_counter()
            disagreement = compare(outputs, loaded.run(tensors, list(outputs)))
            duration_ms = (time.perf_counter() - started) * 1e3
            count_shadow(model, duration_ms, **disagreement._asdict())
        except (ServingError, ValueError) as error:
            count_shadow_error(model)
            logger.warning("the shadow version cannot be compared", model=model, reason=str(error))
        except Exception as error:
            count_shadow_error(model)
            logger.warning("the shadow version failed", model=model, exc_info=error)
        finally:
            self._running.release()
