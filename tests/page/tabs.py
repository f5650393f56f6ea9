"""A tab of a real Chromium, watched: what it says, and what it asks for."""

from __future__ import annotations

import re
from typing import Any

PATIENCE_MS = 15_000

# Function declarations only: under the page's policy, Playwright cannot have strings evaluated.
OVERFLOW = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
OUTLINED = """() => {
  const element = document.activeElement;
  const shown = element.type === "file" ? element.nextElementSibling : element;
  return parseFloat(getComputedStyle(shown).outlineWidth) > 0
    && getComputedStyle(shown).outlineStyle !== "none";
}"""
FOCUSED = "() => document.activeElement.id || document.activeElement.textContent.trim()"


class Tab:
    """One page in a context of its own. `page` is Playwright's."""

    def __init__(self, page: Any, origin: str) -> None:
        self.page = page
        self.origin = origin
        self.requested: list[str] = []
        self._said: list[str] = []
        self._expected: list[int] = []
        page.set_default_timeout(PATIENCE_MS)
        page.on("request", lambda request: self.requested.append(request.url))
        page.on("console", lambda message: self._said.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: self._said.append(f"error: {error}"))

    def open(self, model: str = "", path: str = "/") -> Tab:
        """Open the page at a model, and wait until it can be tried."""
        self.page.goto(f"{self.origin}{path}{f'#/{model}' if model else ''}")
        self.page.locator("#address").filter(has_text=f"/{model}").wait_for()
        return self

    def send(self) -> str:
        """Send what is in the form; what became of it, in one line."""
        self.page.locator("#send").click()
        return self.outcome()

    def outcome(self) -> str:
        self.page.locator("#facts:not([hidden])").wait_for()
        self.page.locator("#send:not([aria-disabled])").wait_for()
        return self.text("#outcome")

    def text(self, selector: str) -> str:
        return str(self.page.locator(selector).inner_text())

    def texts(self, selector: str) -> list[str]:
        return [str(each) for each in self.page.locator(selector).all_inner_texts()]

    def query(self, query: str) -> None:
        if not self.page.locator("#query").is_visible():
            self.page.locator("#more summary").click()
        self.page.locator("#query").fill(query)

    def key(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def focused(self) -> str:
        """The element that has the focus, by its id or text; it must be seen to have it."""
        assert self.page.evaluate(OUTLINED), "the focus is not to be seen"
        return str(self.page.evaluate(FOCUSED))

    def overflow(self) -> int:
        """By how many pixels the page is wider than its window."""
        return int(self.page.evaluate(OVERFLOW))

    def expect_refusal(self, status: int) -> None:
        """Chromium says of each answer that is an error that it was one."""
        self._expected.append(status)

    def forget(self, said: str) -> None:
        """Take back what the console said of a connection."""
        assert any(said in each for each in self._said), self._said
        self._said = [each for each in self._said if said not in each]

    def complaints(self) -> list[str]:
        """What the console said, but for the refusals that were expected; requests elsewhere."""
        said = list(self._said)
        for status in self._expected:
            line = next((each for each in said if re.search(rf"status of {status} ", each)), None)
            assert line is not None, f"nothing was refused with {status}: {said}"
            said.remove(line)
        ours = (f"{self.origin}/", f"blob:{self.origin}/", "data:")
        return said + [url for url in self.requested if not url.startswith(ours)]
