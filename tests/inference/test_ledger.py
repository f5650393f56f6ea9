from __future__ import annotations

import threading

from inference.ledger import Ledger
from tests.inference.concurrency import DEADLINE_S


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


def test_waiting_ends_when_a_session_is_dropped_in_another_thread() -> None:
    ledger = Ledger()
    holder = [Session()]
    ledger.settle(ledger.open(), 200, holder[0])
    threading.Timer(0.05, holder.clear).start()
    assert ledger.wait_for_less(200, DEADLINE_S)


def test_waiting_ends_at_its_deadline() -> None:
    ledger = Ledger()
    session = Session()
    ledger.settle(ledger.open(), 200, session)
    assert not ledger.wait_for_less(200, 0.05)
    assert ledger.wait_for_less(201, 0.0)
