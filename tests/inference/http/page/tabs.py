"""A tab of a real Chromium, watched: what it says, and what it asks for."""

from __future__ import annotations

import re
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

PATIENCE_MS = 15_000
ENDED = re.compile("^(Answered|Refused|Failed|No answer)")
"""What became of a call, in the page's words."""

SHOWN_CHARACTERS = 2_000

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
        ready = self.page.locator("#address").filter(has_text=f"/{model}")
        error = self.page.locator("#notice:not([hidden]) .error, #unusable:not([hidden])")
        ready.or_(error).first.wait_for()
        assert ready.is_visible(), self.shown()
        return self

    def send(self) -> str:
        """Submit the form, which gets an answer; return the page's status in one line."""
        outcome = self.press()
        assert outcome.startswith("Answered"), self.shown()
        return outcome

    def press(self) -> str:
        """Submit the form; return the page's status, with or without an answer."""
        self.page.locator("#send").click()
        return self.outcome()

    def outcome(self) -> str:
        """Wait until the call has ended, in whatever way."""
        self.page.locator("#outcome").filter(has_text=ENDED).wait_for()
        self.page.locator("#send:not([aria-disabled])").wait_for()
        return self.text("#outcome")

    def shown(self) -> str:
        """Return the page's text and its console, to show if a test fails."""
        texts = [text[:SHOWN_CHARACTERS] for text in self.texts("main")]
        return "\n".join([self.page.url, *texts, *self._said])

    @contextmanager
    def holding(self, addresses: str, **answer: Any) -> Iterator[None]:
        """Hold the next request back until this ends; it gets an answer of the server's, or this.

        There must be one by then.
        """
        held: list[Any] = []

        def hold(route: Any) -> None:
            if held:
                route.continue_()
            else:
                held.append(route)

        self.page.route(addresses, hold)  # for good: removing the route would release held calls
        yield
        until = time.monotonic() + PATIENCE_MS / 1e3
        while not held and time.monotonic() < until:
            self.page.wait_for_timeout(10)  # Playwright tells of requests while it is waited for
        [route] = held
        if answer:
            route.fulfill(**answer)
        else:
            route.continue_()

    @property
    def called(self) -> list[str]:
        """Return the addresses of all calls, in order."""
        ends = ("/infer", "/predict")
        return [url.removeprefix(f"{self.origin}/") for url in self.requested if url.endswith(ends)]

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
        """Return messages of the console and requests elsewhere, except expected refusals."""
        said = list(self._said)
        for status in self._expected:
            line = next((each for each in said if re.search(rf"status of {status} ", each)), None)
            assert line is not None, f"nothing was refused with {status}: {said}"
            said.remove(line)
        ours = (f"{self.origin}/", f"blob:{self.origin}/", "data:")
        return said + [url for url in self.requested if not url.startswith(ours)]
