"""Keeps account of the memory that versions take, from before they load until they are gone.

A version that is let go stays in memory while a call has it, so letting go frees nothing by
itself: its account is closed when Python drops the session. That may happen in any thread at any
point, also in one that is in the middle of this: it is only noted, and booked by whoever asks next.
"""

from __future__ import annotations

import threading
import weakref
from collections import deque
from typing import Any, Final

ROOM_DEADLINE_S: Final = 60.0
"""Seconds that a load waits for calls and loads in progress to free memory."""

_LOOK_S: Final = 0.02
"""How often whoever waits looks: that a session is gone wakes nobody."""


class Account:
    """The memory of one version: reserved for its load, then what it takes until it is gone.

    `is_leaving`: it was let go, and goes when the last call that has it ends; or it is of a
    replacement under way, which is to have no room made for it. Both pass: whoever needs the memory
    waits.
    """

    def __init__(self) -> None:
        self.n_bytes = 0
        self.is_leaving = False


class Ledger:
    """All accounts of one environment. Thread-safe."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._accounts: set[Account] = set()
        self._gone: deque[Account] = deque()

    @property
    def used_bytes(self) -> int:
        """What is taken or reserved now."""
        with self._changed:
            return self._used()

    @property
    def staying_bytes(self) -> int:
        """As `used_bytes`, without what is leaving."""
        with self._changed:
            self._book()
            return sum(each.n_bytes for each in self._accounts if not each.is_leaving)

    def open(self) -> Account:
        """Begin an account, of nothing yet."""
        account = Account()
        with self._changed:
            self._accounts.add(account)
        return account

    def reserve(self, account: Account, n_bytes: int) -> None:
        """Take so much for a load."""
        with self._changed:
            account.n_bytes = n_bytes

    def settle(self, account: Account, n_bytes: int, session: Any) -> None:
        """What was reserved is loaded, and takes `n_bytes` until `session` is dropped."""
        with self._changed:
            account.n_bytes = n_bytes
            self._changed.notify_all()
        weakref.finalize(session, self._gone.append, account).atexit = False

    def close(self, account: Account) -> None:
        """The load has failed, and takes nothing."""
        with self._changed:
            self._accounts.discard(account)
            self._changed.notify_all()

    def wait_for_change(self, deadline_s: float) -> bool:
        """Wait until it is worth looking again what is taken; False if the deadline has passed.

        Not for less than there was: it may have been less meanwhile, and others have taken it.
        """
        if deadline_s <= 0:
            return False
        with self._changed:
            self._changed.wait(min(deadline_s, _LOOK_S))
        return True

    def _used(self) -> int:
        self._book()
        return sum(account.n_bytes for account in self._accounts)

    def _book(self) -> None:
        while self._gone:
            self._accounts.discard(self._gone.popleft())
