"""Real events of AWS services."""

from __future__ import annotations

import json
from typing import Any

from tests.support.places import EVENTS


def event_file(name: str) -> dict[str, Any]:
    """Read one of tests/events/."""
    event: dict[str, Any] = json.loads((EVENTS / f"{name}.json").read_text("utf-8"))
    return event
