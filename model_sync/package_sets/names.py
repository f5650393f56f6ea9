"""What Python packages are called. Pure."""

from __future__ import annotations

import re


def canonical_name(distribution: str) -> str:
    """A package's one name, however it is spelt. Source: PEP 503, "Normalized Names"."""
    return re.sub(r"[-_.]+", "-", distribution).lower()
