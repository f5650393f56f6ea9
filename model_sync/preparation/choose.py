"""Choose the variant of a version that is served, from measurements. Pure.

| optimize_for | chosen variant |
|---|---|
| cold | the shortest time from opening to the first answer |
| warm | the fastest warm run |
| balanced | the shortest cold time of those whose warm run is at most 5% slower than plain's |

The plain variant is chosen if no other gains at least 10%: less is noise. A variant that could not
be loaded, or whose answers differ from plain's, is never chosen.

Opening is measured with the files in the page cache, but a cold start also reads them from EFS. An
optimized variant is opened while its files are read, so its cold time has the longer of the two
times. Plain is opened after its files are read, so its cold time has the sum.

A chosen variant that is correct on only one kind of processor gets a fallback: the table's choice
among the variants that are correct on all. If `balanced` rejects a much faster start because it is
too slow warm, that variant is chosen after all, together with a replacement: of the variants within
5% of the fastest warm run, the one with the shortest cold time. Every processor that can open the
chosen variant can open its replacement.
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
"""A start that is faster by both limits is worth opening a second session later."""

_DOUBTFUL: Final = 1.3
"""A warm run that is slower than plain's by less than this may be noise: measure it again."""

_READ_BYTES_PER_MS: Final = (300 << 20) / 1e3
"""Maximum read throughput of one EFS client."""


class Choice(NamedTuple):
    """The chosen variant's name, the reason in one line, and other variants that are kept.

    `fallback`: for processors on which the chosen variant is wrong. `replacement`: the variant that
    takes over once calls come.
    """

    name: str
    why: str
    fallback: str | None = None
    replacement: str | None = None

    @property
    def kept(self) -> frozenset[str]:
        """Names of all variants that may be opened."""
        return frozenset(filter(None, (self.name, self.fallback, self.replacement)))


def choose(
    variants: Sequence[Variant], optimize_for: str, source: Sequence[FileEntry] = ()
) -> Choice:
    """Choose by the measurements. `variants` include plain; `source` lists plain's files."""
    candidates = _candidates(variants, source)
    choice = _choose_here(candidates, optimize_for)
    if not candidates[choice.name].block_width:
        return choice
    portable = {name: costs for name, costs in candidates.items() if not costs.block_width}
    # The fallback has no replacement, so the plain table chooses it.
    fallback = _cheapest(portable, optimize_for)
    return choice._replace(fallback=fallback, why=f"{choice.why}; on other processors {fallback}")


def doubtful(
    variants: Sequence[Variant], optimize_for: str, source: Sequence[FileEntry] = ()
) -> frozenset[str]:
    """Return plain and the variants that were rejected for slowness within noise; or none."""
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
    """Return the costs of the variants that may be chosen, by name."""
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
    """Return the number of bytes of a variant's files that a cold start reads."""
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
    """Return the name of the variant that the table in the module's docstring chooses."""
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
        return "no other variant is 10% better"
    return (
        f"{best.cold_ms:.1f} ms to the first answer (plain {plain.cold_ms:.1f}), "
        f"{best.warm_ms:.2f} ms warm (plain {plain.warm_ms:.2f})"
    )


def _cold_ms(costs: _Costs) -> float:
    return costs.cold_ms


def _warm_ms(costs: _Costs) -> float:
    return costs.warm_ms
