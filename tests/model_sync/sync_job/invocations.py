"""Requests to the sync function, its remaining time, and its staged files."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

LONG: Final = 900_000


def request(source: str, **fields: Any) -> dict[str, Any]:
    """Publish uploaded contents, or a prefix, as the model `adder`."""
    return {"verb": "publish", "request_id": "r-1", "model": "adder", "source": source, **fields}


def time_for(blocks: int, then: float = 0) -> Callable[[], float]:
    """Time enough for so many blocks; it is looked at after each, and when all is copied."""
    looks = itertools.count(1)
    return lambda: LONG if next(looks) <= blocks else then


def staged(tmp_path: Path) -> list[str]:
    """The staging folders in the store of a test."""
    return [path.name for path in (tmp_path / "store").glob("staging/*")]


def refused(answer: dict[str, Any], code: str, message: str) -> None:
    """Assert that an answer says so, in one line."""
    assert answer["state"] == "failed"
    assert answer["error"]["code"] == code
    assert message in answer["error"]["message"]
    assert "\n" not in answer["error"]["message"]
