"""The manager of a serving environment, as its settings want it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from inference.loading.loader import load_version
from inference.loading.memory_need import budget_bytes
from inference.process.memory import rss_bytes
from inference.serving.manager import Manager
from model_store.layout import StoreLayout

if TYPE_CHECKING:
    from inference.loading.early_reads import EarlyReads
    from inference.process.background import Background
    from inference.settings import Settings


def make_manager(
    settings: Settings, background: Background | None = None, early: EarlyReads | None = None
) -> Manager:
    """Make a manager; what the process takes by now is what its versions cannot have."""
    load = partial(load_version, verify=settings.verify)
    if early is not None:
        load = partial(load, take_reads=early.take_reads)
    return Manager(
        StoreLayout(settings.store_path),
        ref_ttl_s=settings.ref_ttl_s,
        load=load,
        max_staleness_s=settings.max_staleness_s,
        budget_bytes=budget_bytes(
            budget_mb=settings.memory_budget_mb,
            function_mb=settings.function_memory_mb,
            base_bytes=rss_bytes(),
        ),
        background=background,
        early=early,
    )
