"""Folders of this repository that tests read."""

from __future__ import annotations

from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
"""The repository's root folder."""

EVENTS: Final = ROOT / "tests" / "events"
"""Real events of AWS services, as JSON files."""
