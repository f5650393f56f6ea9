"""The real loader on a leash."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from inference.loading.loader import load_version
from tests.support.waiting import DEADLINE_S

if TYPE_CHECKING:
    from collections.abc import Callable

    from inference.loading.loaded_version import LoadedVersion
    from inference.loading.memory_need import Need
    from model_store.layout import StoreLayout
    from model_store.refs import VersionEntry


class WatchedLoader:
    """The real loader: counted, and held back while its gate is closed."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.gate.set()
        self.loads: list[int] = []

    def __call__(
        self,
        layout: StoreLayout,
        model: str,
        number: int,
        entry: VersionEntry,
        make_room: Callable[[Need], None] | None = None,
    ) -> LoadedVersion:
        self.loads.append(number)
        assert self.gate.wait(DEADLINE_S), "the gate stayed closed"
        return load_version(layout, model, number, entry, make_room)
