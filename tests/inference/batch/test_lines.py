from __future__ import annotations

import itertools
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.batch.json_lines import Line, split_lines

BOM = b"\xef\xbb\xbf"


@pytest.mark.parametrize(
    ("data", "lines"),
    [
        (b"", []),
        (b"\n", []),
        (b"a\n", [Line(1, b"a")]),
        (b"a", [Line(1, b"a")]),
        (b"a\nb", [Line(1, b"a"), Line(2, b"b")]),
        (b"a\r\nb\r\n", [Line(1, b"a"), Line(2, b"b")]),
        (b"a\n\n \t\r\n\nb\n", [Line(1, b"a"), Line(5, b"b")]),
        (b"a\rb\n", [Line(1, b"a\rb")]),
        (b"\xff\xfe\x00\n", [Line(1, b"\xff\xfe\x00")]),
        (b"\xe2\x80\xa8\x0b\x0c\n", [Line(1, b"\xe2\x80\xa8\x0b\x0c")]),
        (b"\x0b\n\xa0", [Line(1, b"\x0b"), Line(2, b"\xa0")]),
        (BOM + b"a\n" + BOM + b"b\n", [Line(1, b"a"), Line(2, BOM + b"b")]),
        (BOM + b"\na", [Line(2, b"a")]),
        (BOM, []),
    ],
)
def test_lines_are_numbered_by_their_place(data: bytes, lines: list[Line]) -> None:
    assert list(split_lines([data], 100)) == lines


def test_a_line_at_the_limit_is_a_record_and_one_byte_more_is_not() -> None:
    blocks = [b"12345\n123456\n", b"12", b"3456\n1", b"2345"]
    found = list(split_lines(blocks, 5))
    assert found == [Line(1, b"12345"), Line(2, None), Line(3, None), Line(4, b"12345")]


def test_of_a_line_that_is_too_long_nothing_is_kept() -> None:
    tracemalloc.start()
    try:
        blocks = itertools.chain(itertools.repeat(b"x" * 100_000, 1000), [b"\n{}\n"])
        assert list(split_lines(blocks, 1_000_000)) == [Line(1, None), Line(2, b"{}")]
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 3_000_000


@given(
    pieces=st.lists(st.sampled_from([b"\n", b"\r\n", b" ", b"{}", b"abc", BOM, b"\r", b"\xff"])),
    cuts=st.lists(st.integers(min_value=0, max_value=60)),
    limit=st.integers(min_value=1, max_value=12),
)
def test_how_the_data_come_in_blocks_makes_no_difference(
    pieces: list[bytes], cuts: list[int], limit: int
) -> None:
    data = b"".join(pieces)
    ends = sorted({min(cut, len(data)) for cut in cuts} | {0, len(data)})
    blocks = [data[start:end] for start, end in itertools.pairwise(ends)]
    assert list(split_lines(blocks, limit)) == _by_definition(data, limit)


def _by_definition(data: bytes, limit: int) -> list[Line]:
    found = []
    for number, raw in enumerate(data.split(b"\n"), start=1):
        if len(raw) > limit:
            found.append(Line(number, None))
            continue
        text = raw.removeprefix(BOM) if number == 1 else raw
        if text.strip(b" \t\r"):
            found.append(Line(number, text.removesuffix(b"\r")))
    return found
