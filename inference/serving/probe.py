"""The answer to the probe, an event that asks an environment for its releases and its state."""

from __future__ import annotations

import platform
from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime

from inference.errors import NotReadyError
from inference.loading.loader import RUNTIME
from inference.serving.status import describe_environment
from model_store.release import VERSION

if TYPE_CHECKING:
    from collections.abc import Mapping

    from inference.serving.manager import Manager


def answer_probe(manager: Manager, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return an environment's releases, settings, store ids and generations, and its state."""
    seen = manager.seen()
    try:
        published: Any = list(manager.published())
    except NotReadyError as error:
        published = {"error": str(error)}
    return {
        "coldpress": VERSION,
        "python": platform.python_version(),
        "onnxruntime": onnxruntime.__version__,
        "numpy": np.__version__,
        "runtime": RUNTIME,
        "settings": settings,
        "store_ids": sorted({each.store_id for each in seen.values()}),
        "generations": {name: each.refs.generation for name, each in seen.items()},
        "published": published,
        "environment": describe_environment(manager.state()),
    }
