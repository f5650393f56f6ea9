"""Log of the product: the JSON lines that go to stdout."""

from __future__ import annotations

import json
import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TextIO, cast

from inference.telemetry import SERVICE

if TYPE_CHECKING:
    from collections.abc import Iterator


class _Lines(list[dict[str, Any]]):
    """Log lines as they come, each read as the JSON that it is."""

    def write(self, line: str) -> None:
        self.append(json.loads(line))


@contextmanager
def log_lines() -> Iterator[list[dict[str, Any]]]:
    """Collect what is logged inside; other handlers have it, too."""
    lines = _Lines()
    logger = logging.getLogger(SERVICE)
    (own,) = logger.handlers
    handler = logging.StreamHandler(cast("TextIO", lines))
    handler.setFormatter(own.formatter)
    handler.terminator = ""
    logger.addHandler(handler)
    try:
        yield lines
    finally:
        logger.removeHandler(handler)
