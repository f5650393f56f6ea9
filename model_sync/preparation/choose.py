"""Which of the measured forms of a model is served. Pure.

| optimize_for | what is chosen |
|---|---|
| cold | the least time from opening it to its first answer |
| warm | the fastest warm run |
| balanced | the least cold time of those whose warm run is at most a twentieth slower than plain |

The plain form stays where another gains less than a tenth: so much is noise. A form that could not
be loaded, or whose answers are not the plain form's, is never chosen.

Opening is measured with the files in the page cache; a cold start also has to read them, as fast as
EFS gives them. An optimized form is opened while they arrive, so it is charged with the longer of
the two; plain is opened when they have arrived, and is charged with both.

A chosen form that is right on one kind of processor gets a fallback: what the same table chooses
among those that are right on all. And where `balanced` passes over a much faster start because it
is too slow warm, that start is chosen after all, with a replacement for it: the quickest to open of
those that are within a twentieth of the fastest warm, on every processor that opens the chosen one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from model_store.chunks import CHUNK_BYTES
from model_store.variant import PLAIN

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from model_store.files import FileEntry
    from model_store.variant import Variant

_GAIN: Final = 0.9
_SLOWER: Final = 1.05
_MUCH_FASTER: Final = 1.25
_MUCH_FASTER_MS: Final = 20
"""A start that is faster by both is worth two sessions, one after the other."""

_DOUBTFUL: Final = 1.3
"""A run that is slower than plain's by less may have been disturbed: it is measured again."""

_READ_BYTES_PER_MS: Final = (300 << 20) / 1e3
"""What one client of EFS reads, at the best."""


class Choice(NamedTuple):
    """The chosen variant's name and why, in a line; and what else is kept, where anything is.

    `fallback`: for processors that the chosen one is wrong on. `replacement`: for when it is warm.
    """

    name: str
    why: str
    fallback: str | None = None
    replacement: str | None = None

    @property
    def kept(self) -> frozenset[str]:
        """The names of all variants that may be opened."""
        return frozenset(filter(None, (self.name, self.fallback, self.replacement)))


def choose(
    variants: Sequence[Variant], optimize_for: str, source: Sequence[FileEntry] = ()
) -> Choice:
    """Choose by what was measured; `variants` hold a plain one that was, which opens `source`."""
    candidates = _candidates(variants, source)
    choice = _choose_here(candidates, optimize_for)
    if not candidates[choice.name].block_width:
        return choice
    portable = {name: costs for name, costs in candidates.items() if not costs.block_width}
    # What is served on other processors is not replaced: it is to be fast enough as it is.
    fallback = _cheapest(portable, optimize_for)
    return choice._replace(fallback=fallback, why=f"{choice.why}; on other processors {fallback}")


def doubtful(
    variants: Sequence[Variant], optimize_for: str, source: Sequence[FileEntry] = ()
) -> frozenset[str]:
    """The forms that are passed over for a slowness that may be chance, and plain; or none."""
    candidates = _candidates(variants, source)
    plain = candidates[PLAIN]
    names = {
        name
        for name, costs in candidates.items()
        if costs.cold_ms <= plain.cold_ms * _GAIN
        and plain.warm_ms * _SLOWER < costs.warm_ms <= plain.warm_ms * _DOUBTFUL
    }
    return frozenset({PLAIN, *names}) if names and optimize_for == "balanced" else frozenset()


class _Costs(NamedTuple):
    cold_ms: float
    warm_ms: float
    block_width: int


def _candidates(variants: Sequence[Variant], source: Sequence[FileEntry]) -> dict[str, _Costs]:
    """The forms that may be chosen."""
    candidates = {}
    for variant in variants:
        measured = variant.measurement
        if variant.refused is not None or measured is None:
            continue
        files = source if variant.name == PLAIN else variant.files
        read_ms = _touched_bytes(variant, files) / _READ_BYTES_PER_MS
        if variant.optimized:
            ready_ms = max(read_ms, measured.load_ms)
        else:
            ready_ms = read_ms + measured.load_ms
        cold_ms = ready_ms + measured.first_ms
        candidates[variant.name] = _Costs(cold_ms, measured.warm_ms, variant.block_width)
    return candidates


def _touched_bytes(variant: Variant, files: Sequence[FileEntry]) -> int:
    """How much of its files a cold start reads."""
    touched = 0
    for entry in files:
        ranges = variant.recorded.get(entry.path)
        if ranges is None:
            touched += entry.size_bytes
            continue
        for first, count in ranges:
            at = first * CHUNK_BYTES
            touched += min(count * CHUNK_BYTES, entry.size_bytes - at)
    return touched


def _choose_here(candidates: Mapping[str, _Costs], optimize_for: str) -> Choice:
    plain = candidates[PLAIN]
    best = _cheapest(candidates, optimize_for)
    quickest = min(candidates, key=lambda name: candidates[name].cold_ms)
    much_faster = candidates[best].cold_ms > max(
        candidates[quickest].cold_ms * _MUCH_FASTER, candidates[quickest].cold_ms + _MUCH_FASTER_MS
    )
    if (
        optimize_for != "balanced"
        or not much_faster
        or not _is_too_slow(candidates[quickest], plain)
    ):
        return Choice(best, f"{optimize_for}: {_why(best, candidates[best], plain)}")
    fitting = {
        name: costs
        for name, costs in candidates.items()
        if costs.block_width in {0, candidates[quickest].block_width}
    }
    fastest_ms = min(costs.warm_ms for costs in fitting.values())
    fast = [name for name, costs in fitting.items() if costs.warm_ms <= fastest_ms * _SLOWER]
    replacement = min(fast, key=lambda name: fitting[name].cold_ms)
    return Choice(
        quickest,
        f"{optimize_for}: {_why(quickest, candidates[quickest], plain)}, and then "
        f"{replacement}: {candidates[replacement].warm_ms:.2f} ms warm",
        replacement=replacement,
    )


def _cheapest(candidates: Mapping[str, _Costs], optimize_for: str) -> str:
    """What the table above chooses."""
    plain = candidates[PLAIN]
    if optimize_for == "balanced":
        candidates = {
            name: costs for name, costs in candidates.items() if not _is_too_slow(costs, plain)
        }
    cost: Callable[[_Costs], float] = _warm_ms if optimize_for == "warm" else _cold_ms
    best = min(candidates, key=lambda name: cost(candidates[name]))
    return PLAIN if cost(candidates[best]) > cost(plain) * _GAIN else best


def _is_too_slow(costs: _Costs, plain: _Costs) -> bool:
    return costs.warm_ms > plain.warm_ms * _SLOWER


def _why(name: str, best: _Costs, plain: _Costs) -> str:
    if name == PLAIN:
        return "no other form is better by a tenth"
    return (
        f"{best.cold_ms:.1f} ms to the first answer (plain {plain.cold_ms:.1f}), "
        f"{best.warm_ms:.2f} ms warm (plain {plain.warm_ms:.2f})"
    )


def _cold_ms(costs: _Costs) -> float:
    return costs.cold_ms


def _warm_ms(costs: _Costs) -> float:
    return costs.warm_ms
