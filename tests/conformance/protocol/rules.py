"""All requirements: importing this module states them. Their order is that of their ids' parts."""

from __future__ import annotations

from importlib import import_module

from .requirement import ALL

PARTS = (
    "server",
    "models",
    "infer",
    "data",
    "errors",
    "http",
    "binary",
    "binary_errors",
    "compression",
    "repository",
    "statistics",
    "configuration",
    "labels",
)
for part in PARTS:
    import_module(f"{__package__}.rules_{part}")

__all__ = ["ALL"]
