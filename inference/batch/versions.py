"""Loads versions for a batch: in the form in which they stay.

A server may start a version in one form and go on in another (serving/form_replacement.py), whose answers differ
in a float's last bits. A batch's outputs are a function of the object's bytes and the version, so
its versions are opened at once in the form that a server ends with, where the function has memory
for that, else in the one that it begins with, and never change it. What decides is the function's
memory as it is set, and nothing that one environment measures: all of them decide alike.
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
"""What is counted for the process itself and for the object that is one record, of up to 64 MB."""


def final_loader(settings: Settings) -> Load:
    """The loader of an environment with these settings."""
    most_bytes = budget_bytes(
        budget_mb=settings.memory_budget_mb,
        function_mb=settings.function_memory_mb,
        base_bytes=BASE_BYTES,
    )
    accepts_replacement = partial(_fits, most_bytes)
    return partial(load_version, verify=settings.verify, accepts_replacement=accepts_replacement)


def newest(manager: Manager, model: str) -> LoadedVersion:
    """Return the version that `latest` names now; wait until it is loaded.

    Calls to a server may be answered by the previous version while a new one loads; a batch waits.
    Raises UnknownError, RetiredError, NotReadyError.
    """
    number = manager.describe(model).number
    return manager.resolve(model, number).loaded


def _fits(most_bytes: int | None, need: Need) -> bool:
    return most_bytes is None or need.peak_bytes <= most_bytes
