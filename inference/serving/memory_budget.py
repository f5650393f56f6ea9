"""Memory for loads: reserve it within one environment's budget, evicting other versions for it.

policy.py decides which versions go. memory_ledger.py accounts for what each version takes.
"""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Final

from inference.errors import NoMemoryError, NotReadyError
from inference.process.memory import give_back
from inference.serving import memory_ledger, policy
from inference.telemetry import count_evictions

if TYPE_CHECKING:
    from inference.loading.memory_need import Need
    from inference.serving.memory_ledger import Account
    from inference.serving.stats import Stats
    from inference.serving.warm_models import WarmModel, WarmModels


class MemoryBudget:
    """The memory that all versions of one environment share. Thread-safe.

    `n_bytes`: its size; None for no limit. `ledger`: what is taken of it.
    """

    def __init__(self, n_bytes: int | None, models: WarmModels, stats: Stats) -> None:
        self.n_bytes: Final = n_bytes
        self.ledger: Final = memory_ledger.Ledger()
        self._models = models
        self._stats = stats

    @property
    def used_bytes(self) -> int:
        """Bytes of all versions, including loads in progress and removed versions still in use."""
        return self.ledger.used_bytes

    def reserve(self, account: Account, model: WarmModel, number: int, need: Need) -> None:
        """Reserve what loading a version needs, evicting others if necessary.

        Waits for calls and loads in progress to free memory. Takes the lock of the models. Raises
        NoMemoryError if the version never fits, NotReadyError after ROOM_DEADLINE_S.
        """
        budget_bytes = self.n_bytes
        end_s = time.monotonic() + memory_ledger.ROOM_DEADLINE_S
        while True:
            with self._models.lock:
                room = policy.make_room(
                    need_bytes=need.peak_bytes,
                    budget_bytes=budget_bytes,
                    used_bytes=self.ledger.staying_bytes,
                    warm=self._models.eviction_candidates(model.name),
                )
                if isinstance(room, policy.NeverFits):
                    raise NoMemoryError(
                        f"version {number} of {model.name!r} needs {_mb_up(need.peak_bytes)} MB to "
                        f"load; this environment has {_mb(budget_bytes or 0)} MB for all versions "
                        "together: give the function more memory"
                    )
                evicted = self._models.evict(room.evict)
                for each in room.evict:
                    self._stats.evicted(each.model, each.version)
                used_bytes = self.ledger.used_bytes + need.peak_bytes
                if budget_bytes is None or used_bytes <= budget_bytes:
                    self.ledger.reserve(account, need.peak_bytes)
                    return
            if evicted:
                count_evictions(model.name, len(evicted))
                evicted.clear()
                give_back()
            if not self.ledger.wait_for_change(end_s - time.monotonic()):
                raise NotReadyError(
                    f"version {number} of {model.name!r} waits for memory that calls in progress "
                    "have: try again"
                )


def _mb_up(n_bytes: int) -> str:
    # Rounded down, a need just over the budget would look equal to the budget.
    return f"{math.ceil(n_bytes / (1 << 20)):,}"


def _mb(n_bytes: int) -> str:
    return f"{n_bytes >> 20:,}"
