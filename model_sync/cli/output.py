"""Lines and tables on stdout. Cells of a table are neither cut nor wrapped, however wide.

A cut version number, time or label would be useless: a narrow terminal wraps the line instead, and
in a pipe each row is one line. A cell longer than `_WIDEST` widens its own row only.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

from model_store.lines import on_one_line

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence


_WIDEST: Final = 64
"""Largest length of a model's name, and of a label."""


def print_line(text: str) -> None:
    """Print one line."""
    sys.stdout.write(text + "\n")


def print_table(
    headings: Sequence[str], rows: Sequence[Sequence[str]], *, right: Collection[str] = ()
) -> None:
    """Print a table, its headings first. `right`: the headings of right-aligned columns."""
    for line in table_lines(headings, rows, right=right):
        print_line(line)


def print_facts(facts: Mapping[str, str | None], width: int) -> None:
    """Print named values, indented, in columns; skip the empty ones. `width`: of the names."""
    for name, value in facts.items():
        if value:
            print_line(f"  {name:<{width}} {value}")


def table_lines(
    headings: Sequence[str], rows: Sequence[Sequence[str]], *, right: Collection[str] = ()
) -> list[str]:
    """Return the lines of a table, its headings first."""
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


def shape_text(shape: list[int] | None) -> str:
    """Return a tensor's shape as text: `[any, 3]`."""
    if shape is None:
        return "of any rank"
    return f"[{', '.join('any' if size < 0 else str(size) for size in shape)}]"
