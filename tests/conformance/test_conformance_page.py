"""docs/conformance.md is true of the suite as it is."""

from __future__ import annotations

import pytest

from tests.conformance.mlserver.__main__ import EXPLAINED, explained
from tests.conformance.protocol.requirement import Level
from tests.conformance.protocol.rules import ALL
from tests.conformance.wrong.table import TABLE

PAGE = EXPLAINED.read_text()


@pytest.mark.parametrize("level", Level)
def test_all_requirements_of_a_level_are_counted(level: Level) -> None:
    count = sum(each.level is level for each in ALL.values())
    assert f"| {level.value} | {count} | 0 | 0 |" in PAGE


def test_all_mutations_are_counted() -> None:
    assert f"{len(TABLE)} mutations" in PAGE


def test_what_is_explained_of_another_server_is_a_requirement() -> None:
    assert explained() <= ALL.keys()
    assert explained()
