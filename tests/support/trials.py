"""Trials of versions that another writer's change happens during."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from model_sync.preparation.trial import try_version

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest


def during_the_trial(monkeypatch: pytest.MonkeyPatch, act: Callable[[], object]) -> None:
    """Call `act` before the next trial of a version, once."""

    def act_and_try(*arguments: Any, **options: Any) -> Any:
        monkeypatch.setattr("model_sync.preparation.build.try_version", try_version)
        act()
        return try_version(*arguments, **options)

    monkeypatch.setattr("model_sync.preparation.build.try_version", act_and_try)
