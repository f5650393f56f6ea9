from __future__ import annotations

from model_sync.cli.output import table_lines


def test_columns_are_as_wide_as_what_is_in_them_and_lines_end_with_it() -> None:
    rows = [("adder", "10", ""), ("a", "9", "latest")]
    assert table_lines(("MODEL", "VERSION", "LABELS"), rows, right={"VERSION"}) == [
        "MODEL  VERSION  LABELS",
        "adder       10",
        "a            9  latest",
    ]


def test_nothing_is_cut_or_wrapped_however_long_it_is() -> None:
    labels = ", ".join(f"label-{number:058}" for number in range(20))
    lines = table_lines(("MODEL", "LABELS", "SIZE"), [("a" * 64, labels, "1 B")])
    assert lines[1] == f"{'a' * 64}  {labels}  1 B"


def test_a_very_long_cell_does_not_push_the_other_rows_away() -> None:
    labels = ", ".join(f"label-{number}" for number in range(20))
    lines = table_lines(("LABELS", "SIZE"), [(labels, "1 B"), ("latest", "2 B")])
    assert lines == ["LABELS  SIZE", f"{labels}  1 B", "latest  2 B"]


def test_a_table_without_rows_is_its_headings() -> None:
    assert table_lines(("MODEL", "SIZE"), []) == ["MODEL  SIZE"]


def test_each_row_is_one_line_of_printable_characters() -> None:
    (_, line) = table_lines(("WHO", "REASON"), [("me\x1b[2J", "a\nb\tc [bold]")])
    assert line == "me\\x1b[2J  a\\nb\\tc [bold]"
