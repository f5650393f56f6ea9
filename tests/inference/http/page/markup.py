"""The page's file as a browser reads it: elements, attributes, and what is inline."""

from __future__ import annotations

from html.parser import HTMLParser

from tests.support.places import ROOT

PAGE = ROOT / "inference/http/page.html"


class Markup(HTMLParser):
    """`elements`: names and attributes, in order. `inline`: the text of styles and of scripts."""

    def __init__(self) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.inline: dict[str, list[str]] = {"style": [], "script": []}
        self._open: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag in self.inline:
            self._open = tag
            self.inline[tag].append("")

    def handle_endtag(self, tag: str) -> None:
        if tag == self._open:
            self._open = None

    def handle_data(self, data: str) -> None:
        if self._open:
            self.inline[self._open][-1] += data

    def attributes(self, name: str) -> list[str]:
        """All values of an attribute."""
        return [
            value or "" for _, held in self.elements for key, value in held.items() if key == name
        ]


def read_markup() -> Markup:
    markup = Markup()
    markup.feed(PAGE.read_text("utf-8"))
    markup.close()
    return markup
