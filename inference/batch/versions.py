"""Choose and load a version for a batch.

A server may answer by one variant of a version and replace it later
(serving/variant_replacement.py); the answers of two variants differ in a float's last bits. The
outputs of a batch must depend on the object's bytes and the version alone. So a batch loads the
variant that a server would end with, if the function has memory for it, else the variant that a
server begins with, and never replaces either. The decision uses the function's configured memory
and nothing that one environment measures, so all environments decide alike.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from inference.loading.loader import load_version
from inference.loading.memory_need import budget_bytes

if TYPE_CHECKING:
    from inference.loading.loaded_version import LoadedVersion
    from inference.loading.memory_need import Need
    from inference.serving.background_loads import Load
    from inference.serving.manager import Manager
    from inference.settings import Settings

BASE_BYTES: Final = 256 << 20
"""Memory reserved for the process itself and for an object that is one record (up to 64 MiB)."""


def final_loader(settings: Settings) -> Load:
    """Return the loader of final variants for an environment with these settings."""
    most_bytes = budget_bytes(
        budget_mb=settings.memory_budget_mb,
        function_mb=settings.function_memory_mb,
        base_bytes=BASE_BYTES,
    )
    accepts_replacement = partial(_fits, most_bytes)
    return partial(load_version, verify=settings.verify, accepts_replacement=accepts_replacement)


def load_latest(manager: Manager, model: str) -> LoadedVersion:
    """Return the version that `latest` names; wait until it is loaded.

    Calls to a server may be answered by the previous version while a new one loads; a batch waits.
    Raises UnknownError, RetiredError, NotReadyError.
    """
    number = manager.describe(model).number
    return manager.resolve(model, number).loaded


def _fits(most_bytes: int | None, need: Need) -> bool:
    return most_bytes is None or need.peak_bytes <= most_bytes
