"""Which form is served: a table of what was measured, and of what is chosen by it."""

from __future__ import annotations

import pytest

from model_store.variant import PLAIN, Measurement, Variant
from model_sync.choosing import choose


def form(
    name: str, cold_ms: float, warm_ms: float, refused: str | None = None, *, measured: bool = True
) -> Variant:
    measurement = Measurement(cold_ms - 1, 1.0, warm_ms, 1, 1, 0) if measured else None
    return Variant(name, f"{name}/model.onnx", {}, measurement, refused=refused)


A, B = "portable", "mapped"
CASES = {
    "plain alone": ("balanced", [form(PLAIN, 100, 10)], PLAIN),
    "a faster start, as fast warm": ("balanced", [form(PLAIN, 100, 10), form(A, 50, 10)], A),
    "a faster start, a little slower warm": (
        "balanced",
        [form(PLAIN, 100, 10), form(A, 50, 10.5)],
        A,
    ),
    "a faster start, too slow warm": ("balanced", [form(PLAIN, 100, 10), form(A, 50, 10.6)], PLAIN),
    "too slow warm does not matter for cold": ("cold", [form(PLAIN, 100, 10), form(A, 50, 90)], A),
    "a gain within noise": ("balanced", [form(PLAIN, 100, 10), form(A, 91, 10)], PLAIN),
    "a gain just beyond noise": ("balanced", [form(PLAIN, 100, 10), form(A, 90, 10)], A),
    "the best of two": ("cold", [form(PLAIN, 100, 10), form(A, 50, 10), form(B, 40, 11)], B),
    "the best of those fast enough warm": (
        "balanced",
        [form(PLAIN, 100, 10), form(A, 50, 10), form(B, 40, 11)],
        A,
    ),
    "warm": ("warm", [form(PLAIN, 100, 10), form(A, 500, 8), form(B, 40, 11)], A),
    "warm within noise": ("warm", [form(PLAIN, 100, 10), form(A, 50, 9.5)], PLAIN),
    "refused, however fast": (
        "cold",
        [form(PLAIN, 100, 10), form(A, 1, 1, "it is off by up to 7.8")],
        PLAIN,
    ),
    "not measured": ("cold", [form(PLAIN, 100, 10), form(A, 1, 1, measured=False)], PLAIN),
    "nothing could be run": ("balanced", [form(PLAIN, 100, 0), form(A, 50, 0)], A),
}


@pytest.mark.parametrize(("optimize_for", "variants", "chosen"), CASES.values(), ids=CASES)
def test_what_is_chosen(optimize_for: str, variants: list[Variant], chosen: str) -> None:
    choice = choose(variants, optimize_for)
    assert choice.name == chosen
    assert choice.why.startswith(f"{optimize_for}: ")


def test_it_says_why() -> None:
    choice = choose([form(PLAIN, 100, 10), form(A, 50, 9)], "balanced")
    assert choice.why == (
        "balanced: 50.0 ms to the first answer (plain 100.0), 9.00 ms warm (plain 10.00)"
    )
    assert choose([form(PLAIN, 1, 1)], "cold").why == "cold: no other form is better by a tenth"
