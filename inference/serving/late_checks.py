"""Checks of a version that already answers: its golden cases, and its files not read so far.

A cold start answers before these checks. A check that fails takes the version out of service here.
Between its steps an environment may be frozen for hours, so each step that touches the version's
files first asks whether it still may.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

from inference.errors import NotReadyError, RetiredError, UnknownError
from inference.loading.golden_cases import try_out
from inference.loading.prefetch import check_file_ranges
from inference.serving.refs_watch import is_unreadable
from inference.telemetry import logger
from model_store.errors import StoreError

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterator

    from inference.loading.loaded_version import LoadedVersion
    from inference.loading.read_plan import FileRange
    from inference.serving.warm_models import WarmModel


class LateChecks(NamedTuple):
    """The checks of one warm version; each is background work of its own.

    `check_allowed` raises if the version's files must not be touched now. `fail` puts the version
    in quarantine: it takes the error, the check's start by time.perf_counter, and what was loaded.
    `public_text` renders an error for the log.
    """

    model: WarmModel
    number: int
    lock: threading.Lock
    check_allowed: Callable[[], object]
    fail: Callable[[BaseException, float, LoadedVersion], None]
    public_text: Callable[[BaseException], str]

    def run_golden_cases(self, loaded: LoadedVersion) -> None:
        """Run the version's golden cases."""
        started = time.perf_counter()
        try:
            self.check_allowed()
            try_out(loaded)
        except (RetiredError, UnknownError, NotReadyError, StoreError) as error:
            # Out of service, or its cases cannot be read: its answers may be right.
            logger.warning("golden cases cannot be run", model=self.model.name, reason=str(error))
        except Exception as error:
            self.fail(error, started, loaded)

    def read_rest(self, unread: tuple[FileRange, ...]) -> None:
        """Read and check the parts of files that the load has left unread."""
        started = time.perf_counter()
        try:
            check_file_ranges(self._while_warm(unread))
        except (RetiredError, UnknownError, NotReadyError):
            return  # out of service: it answers no more, or soon will not
        except StoreError as error:
            loaded = self._loaded_with(unread)
            if loaded is None:
                return
            if is_unreadable(error):
                logger.warning(
                    "a version was not read to its end",
                    model=self.model.name,
                    version=self.number,
                    reason=self.public_text(error),
                )
                return
            self.fail(error, started, loaded)

    def _while_warm(self, unread: tuple[FileRange, ...]) -> Iterator[FileRange]:
        for file_range in unread:
            self.check_allowed()
            if self._loaded_with(unread) is None:
                return
            yield file_range

    def _loaded_with(self, unread: tuple[FileRange, ...]) -> LoadedVersion | None:
        """Return the version if it is still warm by the load that left `unread`."""
        with self.lock:
            warm = self.model.warm.get(self.number)
        return warm.loaded if warm and warm.loaded.unread is unread else None
