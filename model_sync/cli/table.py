"""A table of texts in plain lines. Nothing is cut and nothing is wrapped, whatever the width.

A version's number, a time or a label that was cut is of no use to anybody: on a narrow terminal
the terminal wraps, and in a pipe each row is one line. A cell that is longer than most pushes what
follows it in its own row, and in no other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from model_store.lines import on_one_line

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence


_WIDEST: Final = 64
"""How long a model's name may be, and a label."""


def table_lines(
    headings: Sequence[str], rows: Sequence[Sequence[str]], *, right: Collection[str] = ()
) -> list[str]:
    """The lines of a table, its headings first. `right`: the headings of right-aligned columns."""
    cells = [list(headings), *([on_one_line(cell) for cell in row] for row in rows)]
    widths = [
        max((len(cell) for cell in column if len(cell) <= _WIDEST), default=_WIDEST)
        for column in zip(*cells, strict=True)
    ]
    return [
        "  ".join(
            cell.rjust(width) if heading in right else cell.ljust(width)
            for heading, cell, width in zip(headings, row, widths, strict=True)
        ).rstrip()
        for row in cells
    ]
