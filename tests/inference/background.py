"""Waiting for the background work of a manager."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from inference.serving.manager import Manager


def wait_until_idle(manager: Manager) -> None:
    """Wait until a manager loads, tries and unloads nothing in the background."""
    wait_until(lambda: not manager._background.busy())
