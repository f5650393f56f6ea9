"""Replace a warm version's variant by another one, once calls have come.

A cold start is fastest over mapped files; some models answer much faster once their weights are
packed. A version that was prepared for both starts with the mapped variant, which is replaced by
the packed one, the *replacement*:

1. The replacement starts once for each load, when the version has answered a call, its golden cases
   have run, and no call is in progress; not for a version that no label names and that was not the
   last one called by its number.
2. It waits for loads in progress, and for memory for both variants beside all else. No version is
   evicted for it. Without enough memory the version keeps its variant.
3. Its files are checked, its session is opened and its golden cases run, as for any version that is
   loaded while another answers: they keep a bad variant out, and make its first call a fast one.
4. The new session takes over. Calls in progress end on the variant that they began with.

A failure leaves the version as it was, is logged and counted, and is not retried until the version
is loaded again. The pipeline is kept, with the state that it has.
"""

from __future__ import annotations

import time
from enum import Enum
from typing import TYPE_CHECKING, Any, Final

from inference.errors import NotReadyError, RetiredError, ServingError, UnknownError
from inference.loading.golden_cases import try_out
from inference.loading.loader import Phases, check_session, open_variant
from inference.loading.prefetch import begin_prefetch
from inference.process.memory import give_back
from inference.serving import memory_ledger
from inference.settings import Verify
from inference.telemetry import count_replacement, logger
from model_store.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from inference.loading.loaded_version import LoadedVersion, Replacement
    from inference.loading.memory_need import Need
    from inference.serving.memory_budget import MemoryBudget
    from inference.serving.memory_ledger import Account
    from inference.serving.stats import Stats
    from inference.serving.view import ModelView
    from inference.serving.warm_models import WarmModel, WarmModels, WarmVersion
    from model_store.refs import Refs


class Room(Enum):
    """Availability of memory for both variants at once."""

    NOW = "now"
    LATER = "later"
    """Not now; perhaps after loads or calls that are in progress."""
    NO = "no"


def find_room(
    *,
    peak_bytes: int,
    budget_bytes: int | None,
    used_bytes: int,
    staying_bytes: int,
    is_loading: bool,
) -> Room:
    """Decide if a variant that takes `peak_bytes` may be loaded beside all that is warm. Pure.

    `staying_bytes`: `used_bytes` without what is about to be dropped. `is_loading`: a load is in
    progress; it goes first, since a call may wait for it.
    """
    if budget_bytes is None:
        return Room.NOW
    if is_loading:
        return Room.LATER
    if used_bytes + peak_bytes <= budget_bytes:
        return Room.NOW
    return Room.LATER if staying_bytes + peak_bytes <= budget_bytes else Room.NO


class NotReplacedError(ServingError):
    """The version keeps its variant, without an error in it."""


class VariantReplacement:
    """The replacement of one version's variant. `run` is background work, and raises nothing.

    - `account`: that of the variant to replace; a version with another one was loaded again.
    - `look`: returns the refs by which the version's files may be touched, else raises.
    - `public_text`: renders an error for the log.
    """

    def __init__(
        self,
        model: WarmModel,
        number: int,
        account: Account,
        *,
        models: WarmModels,
        budget: MemoryBudget,
        stats: Stats,
        look: Callable[[], ModelView],
        public_text: Callable[[BaseException], str],
    ) -> None:
        self._model = model
        self._number = number
        self._account = account
        self._models = models
        self._ledger = budget.ledger
        self._budget_bytes = budget.n_bytes
        self._stats = stats
        self._look = look
        self._public_text = public_text
        self._log_fields: Final[dict[str, Any]] = {"model": model.name, "version": number}

    def run(self) -> None:
        """Replace the variant, or log why it stays."""
        started = time.perf_counter()
        account = self._ledger.open()
        account.is_leaving = True  # no version is evicted for it
        try:
            variant, phases_ms = self._replace(account)
        except (NotReplacedError, RetiredError, UnknownError, NotReadyError) as error:
            self._ledger.close(account)
            logger.info("a version keeps its variant", **self._log_fields, reason=str(error))
        except Exception as error:
            self._ledger.close(account)
            self._report(started, failed=True)
            reason = self._reason(error)
            logger.error("a version's replacement failed", **self._log_fields, reason=reason)
        else:
            took_ms = self._report(started, failed=False)
            logger.info(
                "a version's variant was replaced",
                **self._log_fields,
                variant=variant,
                load_ms=round(took_ms, 1),
                phases_ms={name: round(took, 1) for name, took in phases_ms.items()},
            )
        give_back()  # here, where only calls in progress can still have the old session

    def _replace(self, account: Account) -> tuple[str, Mapping[str, float]]:
        """Load the replacement and swap; return its variant and the milliseconds of each step."""
        previous, replacement = self._check_replaceable()
        self._reserve(account, replacement.need)
        self._check_replaceable()
        loaded = load_replacement(previous, replacement)
        self._check_replaceable()
        loaded = try_out(loaded)
        refs = self._look().refs
        with self._models.lock:
            warm = self._warm(refs)
            replaced = warm.loaded  # dropped below: not while the lock is held
            self._ledger.settle(account, loaded.need.resident_bytes, loaded.session)
            account.is_leaving, warm.account.is_leaving = False, True
            warm.loaded, warm.account = loaded, account
        del replaced
        return loaded.variant, loaded.phases_ms

    def _check_replaceable(self) -> tuple[LoadedVersion, Replacement]:
        """Return what answers, without its session so as not to keep that, and its replacement.

        Raises NotReplacedError, and what `look` raises.
        """
        refs = self._look().refs
        with self._models.lock:
            loaded = self._warm(refs).loaded
        if loaded.replacement is None:
            raise NotReplacedError("it has no replacement")
        return loaded._replace(session=None), loaded.replacement

    def _warm(self, refs: Refs) -> WarmVersion:
        warm = self._model.warm.get(self._number)
        if warm is None or warm.account is not self._account:
            raise NotReplacedError("it was unloaded")
        if not self._model.may_be_called(self._number, refs):
            raise NotReplacedError("no label names it any more")
        return warm

    def _reserve(self, account: Account, need: Need) -> None:
        end_s = time.monotonic() + memory_ledger.ROOM_DEADLINE_S
        while True:
            with self._models.lock:
                room = find_room(
                    peak_bytes=need.peak_bytes,
                    budget_bytes=self._budget_bytes,
                    used_bytes=self._ledger.used_bytes,
                    staying_bytes=self._ledger.staying_bytes,
                    is_loading=self._models.is_loading(),
                )
                if room is Room.NOW:
                    self._ledger.reserve(account, need.peak_bytes)
                    return
            if room is Room.NO or not self._ledger.wait_for_change(end_s - time.monotonic()):
                raise NotReplacedError(
                    f"its replacement needs {need.peak_bytes:,} bytes to load, beside "
                    f"{self._ledger.used_bytes:,} of {self._budget_bytes:,} that are taken"
                )

    def _report(self, started: float, *, failed: bool) -> float:
        took_ms = (time.perf_counter() - started) * 1e3
        count_replacement(self._model.name, took_ms, failed=failed)
        self._stats.replaced(self._model.name, self._number, failed=failed)
        return took_ms

    def _reason(self, error: Exception) -> str:
        if isinstance(error, ServingError | StoreError):
            return self._public_text(error)
        return f"{type(error).__name__}: {error}"


def load_replacement(previous: LoadedVersion, replacement: Replacement) -> LoadedVersion:
    """Load a replacement, and return `previous` with its session and the same pipeline.

    No call waits for it, so if chunks are checked at all, all of them are, before it answers.
    Raises LoadError, StoreError.
    """
    variant_files, phases = replacement.variant_files, Phases()
    verify = Verify.ALL if replacement.verify is Verify.CHUNKS else replacement.verify
    with begin_prefetch(variant_files, verify) as prefetch:
        session = open_variant(variant_files, prefetch, phases)
        nested = check_session(session, previous.signature, previous.content.model_file)
    phases.end("session")
    return previous._replace(
        session=session,
        need=replacement.need,
        maps_files=variant_files.maps_files,
        nested=nested,
        unread=(),
        phases_ms=phases.ms,
        variant=replacement.variant,
        replacement=None,
    )
