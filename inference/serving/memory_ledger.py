"""The memory that versions take, from before they load until their sessions are dropped.

A version that is unloaded stays in memory while a call has it, so unloading alone frees nothing:
its account is closed when Python drops the session. Python may do so in any thread at any point,
also in the middle of a method here, so the drop only appends to a queue, and the next method that
sums accounts up takes dropped ones out.
"""

from __future__ import annotations

import threading
import weakref
from collections import deque
from typing import Any, Final

ROOM_DEADLINE_S: Final = 60.0
"""Seconds that a load waits for calls and loads in progress to free memory."""

_POLL_S: Final = 0.02
"""Polling interval in seconds; dropping a session does not notify the condition."""


class Account:
    """The bytes of one version: reserved for its load, then taken until its session is dropped.

    `is_leaving`: the version was unloaded and is dropped after the last call that has it; or the
    account is of a replacement in progress, for which no other version is evicted. Both end soon,
    so a load that needs the memory waits.
    """

    def __init__(self) -> None:
        self.n_bytes = 0
        self.is_leaving = False


class Ledger:
    """All accounts of one environment. Thread-safe, by a lock of its own."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._accounts: set[Account] = set()
        self._dropped: deque[Account] = deque()

    @property
    def used_bytes(self) -> int:
        """Bytes that are taken or reserved now."""
        with self._changed:
            return self._used()

    @property
    def staying_bytes(self) -> int:
        """Bytes as in `used_bytes`, without accounts that are leaving."""
        with self._changed:
            self._close_dropped()
            return sum(each.n_bytes for each in self._accounts if not each.is_leaving)

    def open(self) -> Account:
        """Open an account of 0 bytes."""
        account = Account()
        with self._changed:
            self._accounts.add(account)
        return account

    def reserve(self, account: Account, n_bytes: int) -> None:
        """Reserve `n_bytes` for a load."""
        with self._changed:
            account.n_bytes = n_bytes

    def settle(self, account: Account, n_bytes: int, session: Any) -> None:
        """Count `n_bytes` for a loaded version, until `session` is dropped."""
        with self._changed:
            account.n_bytes = n_bytes
            self._changed.notify_all()
        weakref.finalize(session, self._dropped.append, account).atexit = False

    def close(self, account: Account) -> None:
        """Close the account of a load that failed."""
        with self._changed:
            self._accounts.discard(account)
            self._changed.notify_all()

    def wait_for_change(self, deadline_s: float) -> bool:
        """Wait for a change of what is taken, or a short while; False if `deadline_s` has passed.

        Not necessarily less is taken afterwards: another load may have reserved what was freed.
        """
        if deadline_s <= 0:
            return False
        with self._changed:
            self._changed.wait(min(deadline_s, _POLL_S))
        return True

    def _used(self) -> int:
        self._close_dropped()
        return sum(account.n_bytes for account in self._accounts)

    def _close_dropped(self) -> None:
        while self._dropped:
            self._accounts.discard(self._dropped.popleft())
