"""Text from outside, put so that it stays on one line. Pure."""

from __future__ import annotations


def on_one_line(text: str) -> str:
    """A text as a message or a terminal may be given it: what is not printable, as its escape.

    Names, reasons and users come from whoever wrote to the store. A line end would break a table
    or a message, an escape sequence could rewrite what a terminal shows, and half a surrogate
    cannot be written at all.
    """
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else _escaped(each) for each in text)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
