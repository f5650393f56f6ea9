"""Choice of the served variant: a table of measurements and choices."""

from __future__ import annotations

import pytest

from model_store.digests import Digest
from model_store.files import FileEntry
from model_store.variant import PLAIN, Measurement, Variant
from model_sync.preparation.choose import choose, doubtful


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
    "a start that is not much faster, too slow warm": (
        "balanced",
        [form(PLAIN, 100, 10), form(A, 81, 10.6)],
        PLAIN,
    ),
    "a much faster start, too slow warm: it is replaced": (
        "balanced",
        [form(PLAIN, 100, 10), form(A, 50, 10.6)],
        A,
    ),
    "too slow warm does not matter for cold": ("cold", [form(PLAIN, 100, 10), form(A, 50, 90)], A),
    "a gain within noise": ("balanced", [form(PLAIN, 100, 10), form(A, 91, 10)], PLAIN),
    "a gain just beyond noise": ("balanced", [form(PLAIN, 100, 10), form(A, 90, 10)], A),
    "the best of two": ("cold", [form(PLAIN, 100, 10), form(A, 50, 10), form(B, 40, 11)], B),
    "the best of those fast enough warm": (
        "balanced",
        [form(PLAIN, 100, 10), form(A, 50, 10), form(B, 41, 11)],
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
    assert choose([form(PLAIN, 1, 1)], "cold").why == "cold: no other variant is 10% better"


def wide(name: str, cold_ms: float, warm_ms: float, width: int = 16) -> Variant:
    return form(name, cold_ms, warm_ms)._replace(block_width=width)


REPLACED = [
    # for balanced alone, and a start that is faster by a quarter and by 20 ms
    ("balanced", [form(PLAIN, 200, 10), form(A, 100, 10), form(B, 40, 13)], B, A),
    ("cold", [form(PLAIN, 200, 10), form(A, 100, 10), form(B, 40, 13)], B, None),
    ("warm", [form(PLAIN, 200, 10), form(A, 100, 8), form(B, 40, 13)], A, None),
    ("balanced", [form(PLAIN, 200, 10), form(A, 59, 10), form(B, 40, 13)], A, None),
    ("balanced", [form(PLAIN, 200, 10), form(A, 120, 10), form(B, 97, 13)], A, None),
    # the quickest of the fastest, on the processors that open the chosen one
    ("balanced", [form(PLAIN, 200, 8), form(A, 100, 8.3), form(B, 40, 13)], B, A),
    ("balanced", [form(PLAIN, 200, 10), wide(A, 100, 5), form(B, 40, 13)], B, PLAIN),
    ("balanced", [form(PLAIN, 200, 10), wide(A, 100, 5), wide(B, 40, 13)], B, A),
]


@pytest.mark.parametrize(("optimize_for", "variants", "chosen", "replacement"), REPLACED)
def test_a_much_faster_start_is_replaced_by_what_is_fast_enough_warm(
    optimize_for: str, variants: list[Variant], chosen: str, replacement: str | None
) -> None:
    choice = choose(variants, optimize_for)
    assert (choice.name, choice.replacement) == (chosen, replacement)
    if replacement:
        assert f", and then {replacement}: " in choice.why
        assert choice.kept >= {chosen, replacement}


@pytest.mark.parametrize(
    ("variants", "chosen", "fallback"),
    [
        ([form(PLAIN, 100, 10), form(A, 50, 10), wide("wide", 40, 5)], "wide", A),
        ([form(PLAIN, 100, 10), form(A, 50, 13), wide("wide", 40, 5)], "wide", PLAIN),
        ([form(PLAIN, 100, 10), wide("wide", 40, 5)], "wide", PLAIN),
        ([form(PLAIN, 100, 10), form(A, 30, 10), wide("wide", 40, 5)], A, None),
    ],
)
def test_a_form_for_one_processor_has_a_fallback_for_the_others(
    variants: list[Variant], chosen: str, fallback: str | None
) -> None:
    choice = choose(variants, "balanced")
    assert (choice.name, choice.fallback) == (chosen, fallback)
    assert choice.kept == {chosen, fallback} - {None}
    assert choice.why.endswith(f"; on other processors {fallback}") is (fallback is not None)


def _with_file(variant: Variant, megabytes: int, *, optimized: bool) -> Variant:
    entry = FileEntry(variant.graph, megabytes << 20, Digest.of_bytes(b""))
    return variant._replace(files=(entry,), optimized=optimized)


def test_an_optimized_form_is_opened_while_its_bytes_arrive_and_plain_after() -> None:
    # 300 MB at 300 MiB/s: a second. Opening takes 500 ms in either variant; the first run, 1.
    source = [FileEntry("source/model.onnx", 300 << 20, Digest.of_bytes(b""))]
    plain = form(PLAIN, 501, 10)
    optimized = _with_file(form(A, 501, 10), 300, optimized=True)
    choice = choose([plain, optimized], "balanced", source)
    assert choice.name == A
    assert "1001.0 ms to the first answer (plain 1501.0)" in choice.why
    some = optimized._replace(recorded={optimized.graph: ((0, 25), (60, 15))})  # 160 of 300 MiB
    choice = choose([plain, some], "balanced", source)
    assert "534.3 ms to the first answer (plain 1501.0)" in choice.why
    slow = _with_file(form(A, 1401, 10), 300, optimized=True)
    assert choose([plain, slow], "balanced", source).name == PLAIN


def test_what_is_passed_over_for_a_slowness_that_may_be_chance_is_in_doubt() -> None:
    plain = form(PLAIN, 100, 10)
    assert doubtful([plain, form(A, 50, 12), form(B, 40, 14)], "balanced") == {PLAIN, A}
    assert doubtful([plain, form(A, 50, 10.5), form(B, 95, 12)], "balanced") == frozenset()
    assert doubtful([plain, form(A, 50, 12)], "cold") == frozenset()


def test_of_two_measurements_the_lesser_times_count() -> None:
    one, other = Measurement(5, 2, 3, 7, 7, 1), Measurement(4, 3, 2, 9, 9, 2)
    assert one.faster(other) == Measurement(4, 2, 2, 7, 7, 1)
