"""Canonical names of Python packages. Pure."""

from __future__ import annotations

import re


def canonical_name(distribution: str) -> str:
    """Return a package's canonical name. Source: PEP 503, "Normalized Names"."""
    return re.sub(r"[-_.]+", "-", distribution).lower()
