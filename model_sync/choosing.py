"""Which of the measured forms of a model is served. Pure.

| optimize_for | what is chosen |
|---|---|
| cold | the least time from opening it to its first answer |
| warm | the fastest warm run |
| balanced | the least cold time of those whose warm run is at most a twentieth slower than plain |

The plain form stays where another gains less than a tenth: so much is noise. A form that could not
be loaded, or whose answers are not the plain form's, is never chosen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from model_store.variant import PLAIN

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from model_store.variant import Measurement, Variant

_GAIN: Final = 0.9
_SLOWER: Final = 1.05


class Choice(NamedTuple):
    """The chosen variant's name, and why, in a line."""

    name: str
    why: str


def choose(variants: Sequence[Variant], optimize_for: str) -> Choice:
    """Choose by what was measured; `variants` hold a plain one that was."""
    measured = {each.name: each.measurement for each in variants if each.refused is None}
    found = {name: value for name, value in measured.items() if value is not None}
    plain = found[PLAIN]
    if optimize_for == "balanced":
        slowest = plain.warm_ms * _SLOWER
        found = {name: value for name, value in found.items() if value.warm_ms <= slowest}
    cost: Callable[[Measurement], float] = _warm_ms if optimize_for == "warm" else _cold_ms
    best = min(found, key=lambda name: cost(found[name]))
    if best != PLAIN and cost(found[best]) > cost(plain) * _GAIN:
        best = PLAIN
    return Choice(best, f"{optimize_for}: {_why(best, found[best], plain)}")


def _why(name: str, best: Measurement, plain: Measurement) -> str:
    if name == PLAIN:
        return "no other form is better by a tenth"
    return (
        f"{_cold_ms(best):.1f} ms to the first answer (plain {_cold_ms(plain):.1f}), "
        f"{best.warm_ms:.2f} ms warm (plain {plain.warm_ms:.2f})"
    )


def _cold_ms(measurement: Measurement) -> float:
    return measurement.load_ms + measurement.first_ms


def _warm_ms(measurement: Measurement) -> float:
    return measurement.warm_ms
