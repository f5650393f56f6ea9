from __future__ import annotations

import threading
import time

from inference.serving.memory_ledger import Ledger
from tests.support.waiting import DEADLINE_S


class Session:
    """Something that can be dropped."""


def test_a_load_is_reserved_then_settled_then_gone_with_its_session() -> None:
    ledger = Ledger()
    account = ledger.open()
    assert ledger.used_bytes == 0
    ledger.reserve(account, 300)
    assert ledger.used_bytes == 300
    session = Session()
    ledger.settle(account, 200, session)
    assert ledger.used_bytes == 200
    del session
    assert ledger.used_bytes == 0


def test_a_load_that_failed_takes_nothing() -> None:
    ledger = Ledger()
    account = ledger.open()
    ledger.reserve(account, 300)
    ledger.close(account)
    assert ledger.used_bytes == 0


def test_what_was_let_go_counts_until_it_is_gone() -> None:
    ledger = Ledger()
    account, session = ledger.open(), Session()
    ledger.settle(account, 200, session)
    account.is_leaving = True
    assert (ledger.used_bytes, ledger.staying_bytes) == (200, 0)
    del session
    assert (ledger.used_bytes, ledger.staying_bytes) == (0, 0)


def test_waiting_ends_when_a_load_ends_or_when_it_is_time_to_look_again() -> None:
    ledger = Ledger()
    account, session = ledger.open(), Session()
    ledger.reserve(account, 300)
    threading.Timer(0.05, ledger.settle, (account, 200, session)).start()
    end_s = time.monotonic() + DEADLINE_S
    while ledger.used_bytes == 300:
        assert ledger.wait_for_change(end_s - time.monotonic())
    assert ledger.used_bytes == 200


def test_waiting_ends_at_its_deadline() -> None:
    assert not Ledger().wait_for_change(0.0)
    assert not Ledger().wait_for_change(-1.0)
