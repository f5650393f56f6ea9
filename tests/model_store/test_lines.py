from __future__ import annotations

import pytest

from model_store.errors import DamagedError, StoreError
from model_store.lines import on_one_line


def test_what_is_printable_stays_as_it_is() -> None:
    assert on_one_line("größer, 大 [x] \\n") == "größer, 大 [x] \\n"


def test_what_is_not_is_shown_as_its_escape() -> None:
    assert on_one_line("a\r\n\u2028\x9b\ud800") == "a\\r\\n\\u2028\\x9b\\ud800"


@pytest.mark.parametrize("kind", [StoreError, DamagedError])
def test_a_message_stays_one_line_whatever_name_is_in_it(kind: type[StoreError]) -> None:
    assert str(kind("there is no a\r\nb")) == "there is no a\\r\\nb"
