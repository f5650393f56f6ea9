"""This release's number, the one that pyproject.toml states."""

from __future__ import annotations

from typing import Final

VERSION: Final = "0.1.0"
