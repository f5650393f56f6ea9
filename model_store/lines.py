"""Escape text from outside so that it stays on one line. Pure."""

from __future__ import annotations


def on_one_line(text: str) -> str:
    """Escape unprintable characters, for messages and terminals.

    Names, reasons and users come from outside. A line end would break a table or a message, an
    escape sequence could rewrite a terminal's screen, and half a surrogate pair cannot be encoded
    at all.
    """
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else _escaped(each) for each in text)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
