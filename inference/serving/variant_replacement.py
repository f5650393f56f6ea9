"""Has a version go on in another form than the one that it was loaded in, once calls have come.

A cold start is fastest over mapped files; some models answer much faster once their weights are
packed. A version that was prepared for both starts mapped, and is replaced by the packed form:

1. once for each load, when it has answered a call, its golden cases have run, and no call is under
   way; not for a version that no label names and that was not the last to be called by its number;
2. when loads under way have ended, and if there is room for both beside all else: nothing is let
   go, and nothing else has room made at its cost. Where there is none, it stays as it is;
3. its files are checked, its session opened and its golden cases run, as of any version that is
   loaded while another answers: it must prove itself here, and its first call is not the slow one;
4. the reference swaps. Calls under way end on the form that they began with.

Whatever fails leaves the version as it was, is told in the log and in metrics, and is not tried
again before the version is loaded anew. The pipeline is kept, with whatever state it has.
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
    """Whether there is memory for both forms at once."""

    NOW = "now"
    LATER = "later"
    """Something is about to end by itself, and there may be afterwards."""
    NO = "no"


def room_for(
    *,
    peak_bytes: int,
    budget_bytes: int | None,
    used_bytes: int,
    staying_bytes: int,
    loads_under_way: bool,
) -> Room:
    """Decide whether a form may be loaded beside all that is held. Pure.

    `staying_bytes`: of `used_bytes`, what is not about to go. A load goes first: a call may wait
    for it.
    """
    if budget_bytes is None:
        return Room.NOW
    if loads_under_way:
        return Room.LATER
    if used_bytes + peak_bytes <= budget_bytes:
        return Room.NOW
    return Room.LATER if staying_bytes + peak_bytes <= budget_bytes else Room.NO


class NotReplacedError(ServingError):
    """A version stays in the form that it has, and that is nobody's fault."""


class VariantReplacement:
    """One replacement; `run` is its background work, and raises nothing.

    `account` is the one of the form to be replaced: another one is another load. `look` gives the
    refs that say that the version's files may be touched, else raises; `loads_under_way` is asked
    with `lock` held, the manager's.
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
        shown: Callable[[BaseException], str],
    ) -> None:
        self._model = model
        self._number = number
        self._account = account
        self._models = models
        self._ledger = budget.ledger
        self._budget_bytes = budget.n_bytes
        self._stats = stats
        self._look = look
        self._shown = shown
        self._named: Final[dict[str, Any]] = {"model": model.name, "version": number}

    def run(self) -> None:
        """Replace the form, or say why not."""
        started = time.perf_counter()
        account = self._ledger.open()
        account.is_leaving = True  # nothing goes for its sake
        try:
            variant, phases_ms = self._replace(account)
        except (NotReplacedError, RetiredError, UnknownError, NotReadyError) as error:
            self._ledger.close(account)
            logger.info("a version stays in its form", **self._named, reason=str(error))
        except Exception as error:
            self._ledger.close(account)
            self._report(started, failed=True)
            reason = self._reason(error)
            logger.error("a version's other form failed", **self._named, reason=reason)
        else:
            took_ms = self._report(started, failed=False)
            logger.info(
                "a version goes on in another form",
                **self._named,
                variant=variant,
                load_ms=round(took_ms, 1),
                phases_ms={name: round(took, 1) for name, took in phases_ms.items()},
            )
        give_back()  # here, where nothing holds either session but those who run it

    def _replace(self, account: Account) -> tuple[str, Mapping[str, float]]:
        """Load the other form and swap; its name, and what the steps took."""
        before, replacement = self._check_wanted()
        self._reserve(account, replacement.need)
        self._check_wanted()
        loaded = load_replacement(before, replacement)
        self._check_wanted()
        loaded = try_out(loaded)
        refs = self._look().refs
        with self._models.lock:
            warm = self._wanted(refs)
            replaced = warm.loaded  # which goes when this returns: not while the lock is held
            self._ledger.settle(account, loaded.need.resident_bytes, loaded.session)
            account.is_leaving, warm.account.is_leaving = False, True
            warm.loaded, warm.account = loaded, account
        del replaced
        return loaded.variant, loaded.phases_ms

    def _check_wanted(self) -> tuple[LoadedVersion, Replacement]:
        """What answers, without its session, which may be let go meanwhile; and what follows it."""
        refs = self._look().refs
        with self._models.lock:
            loaded = self._wanted(refs).loaded
        if loaded.replacement is None:
            raise NotReplacedError("it has no other form")
        return loaded._replace(session=None), loaded.replacement

    def _wanted(self, refs: Refs) -> WarmVersion:
        warm = self._model.warm.get(self._number)
        if warm is None or warm.account is not self._account:
            raise NotReplacedError("it was let go")
        if not self._model.may_be_called(self._number, refs):
            raise NotReplacedError("no label names it any more")
        return warm

    def _reserve(self, account: Account, need: Need) -> None:
        end_s = time.monotonic() + memory_ledger.ROOM_DEADLINE_S
        while True:
            with self._models.lock:
                room = room_for(
                    peak_bytes=need.peak_bytes,
                    budget_bytes=self._budget_bytes,
                    used_bytes=self._ledger.used_bytes,
                    staying_bytes=self._ledger.staying_bytes,
                    loads_under_way=self._models.is_loading(),
                )
                if room is Room.NOW:
                    self._ledger.reserve(account, need.peak_bytes)
                    return
            if room is Room.NO or not self._ledger.wait_for_change(end_s - time.monotonic()):
                raise NotReplacedError(
                    f"its other form needs {need.peak_bytes:,} bytes to load, beside "
                    f"{self._ledger.used_bytes:,} of {self._budget_bytes:,} that are taken"
                )

    def _report(self, started: float, *, failed: bool) -> float:
        took_ms = (time.perf_counter() - started) * 1e3
        count_replacement(self._model.name, took_ms, failed=failed)
        self._stats.replaced(self._model.name, self._number, failed=failed)
        return took_ms

    def _reason(self, error: Exception) -> str:
        if isinstance(error, ServingError | StoreError):
            return self._shown(error)
        return f"{type(error).__name__}: {error}"


def load_replacement(before: LoadedVersion, replacement: Replacement) -> LoadedVersion:
    """Load the form that follows, and give the version in it, with the pipeline that it has.

    Nobody waits for it, so where chunks are checked all of them are, before anything is answered.
    Raises LoadError, StoreError.
    """
    variant_files, phases = replacement.variant_files, Phases()
    verify = Verify.ALL if replacement.verify is Verify.CHUNKS else replacement.verify
    with begin_prefetch(variant_files, verify) as prefetch:
        session = open_variant(variant_files, prefetch, phases)
        nested = check_session(session, before.signature, before.content.model_file)
    phases.end("session")
    return before._replace(
        session=session,
        need=replacement.need,
        maps_files=variant_files.maps_files,
        nested=nested,
        unread=(),
        phases_ms=phases.ms,
        variant=replacement.variant,
        replacement=None,
    )
