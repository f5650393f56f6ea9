"""Refs are read again and again; what cannot be read changes nothing but what is known of it."""

from __future__ import annotations

import errno
import shutil
import threading
from typing import TYPE_CHECKING

import pytest

from inference.errors import NotReadyError, UnknownError
from inference.serving.refs_watch import UPWARD_EVERY_S, RefsWatch, is_stale_handle, is_unreadable
from model_store.errors import DamagedError, StoreUnreachableError
from model_store.layout import StoreLayout
from tests.inference.serving.stale_files import FailingOpens
from tests.support.stores import ADDER, point_latest, publish_adder
from tests.support.threads import at_once

if TYPE_CHECKING:
    from pathlib import Path

    from tests.inference.conftest import Clock

TTL_S = 2.0


@pytest.fixture
def watch(store: Path, clock: Clock) -> RefsWatch:
    return RefsWatch(StoreLayout(store), ref_ttl_s=TTL_S)


@pytest.fixture
def opens(monkeypatch: pytest.MonkeyPatch) -> FailingOpens:
    return FailingOpens(monkeypatch)


def refs_json(store: Path) -> Path:
    return store / "models" / ADDER / "refs.json"


def lag_behind(store: Path) -> None:
    """Let refs.json be one generation older than the newest, as before a writer settles."""
    stale = refs_json(store).read_bytes()
    point_latest(store, 1)
    refs_json(store).unlink()
    refs_json(store).write_bytes(stale)


def test_what_is_read_is_believed_for_its_time(watch: RefsWatch, store: Path, clock: Clock) -> None:
    first = watch.look(ADDER)
    point_latest(store, 1)
    clock.advance(TTL_S - 0.5)
    assert watch.look(ADDER) is first
    clock.advance(1.0)
    assert watch.look(ADDER).refs.labels == {"latest": 1}


def test_to_look_again_waits_for_no_time(watch: RefsWatch, store: Path) -> None:
    watch.look(ADDER)
    point_latest(store, 1)
    assert watch.look_again(ADDER).refs.labels == {"latest": 1}


def test_a_check_that_fails_is_said_once_it_did_and_forgotten_once_one_succeeds(
    watch: RefsWatch, store: Path, clock: Clock
) -> None:
    first = watch.look(ADDER)
    whole = refs_json(store).read_bytes()
    refs_json(store).unlink()
    refs_json(store).write_bytes(b"{")
    clock.advance(TTL_S)
    failed = watch.look(ADDER)
    assert failed.refs is first.refs
    assert (failed.checked_at, failed.upward_at) == (first.checked_at, first.upward_at)
    assert failed.error is not None
    assert failed.error.startswith("models/adder/refs.json is")  # and not where it is mounted
    refs_json(store).write_bytes(whole)
    assert watch.look(ADDER) is failed  # it is not tried call after call
    clock.advance(TTL_S)
    healed = watch.look(ADDER)
    assert healed.error is None
    assert healed.checked_at > first.checked_at


def test_refs_json_alone_is_read_within_the_hour_and_upward_after_it(
    watch: RefsWatch, store: Path, clock: Clock
) -> None:
    first = watch.look(ADDER)
    lag_behind(store)
    clock.advance(UPWARD_EVERY_S - 10)
    second = watch.look(ADDER)
    assert second.refs.generation == first.refs.generation
    assert second.checked_at > first.checked_at
    assert second.upward_at == first.upward_at
    clock.advance(10)
    third = watch.look(ADDER)
    assert third.refs.generation == first.refs.generation + 1
    assert third.upward_at == third.checked_at


def test_a_read_upward_that_fails_counts_for_nothing(
    watch: RefsWatch, store: Path, clock: Clock
) -> None:
    first = watch.look(ADDER)
    (store / f"models/{ADDER}/refs/{first.refs.generation + 1}.json").mkdir()
    for _ in range(3):
        clock.advance(UPWARD_EVERY_S)
        assert watch.look(ADDER).upward_at == first.upward_at
    assert watch.look(ADDER).error is not None


@pytest.mark.parametrize("name", ["refs.json", "STORE.json"])
def test_a_stale_handle_is_opened_again_once_and_then_upward(
    watch: RefsWatch, store: Path, clock: Clock, opens: FailingOpens, name: str
) -> None:
    first = watch.look(ADDER)
    lag_behind(store)
    opens.fail(name, errno.ESTALE)
    clock.advance(TTL_S)
    view = watch.look(ADDER)
    assert opens.hits == 1
    assert view.error is None
    assert view.refs.generation == first.refs.generation + 1
    assert view.upward_at == view.checked_at


def test_a_handle_that_stays_stale_is_a_check_that_failed(
    watch: RefsWatch, clock: Clock, opens: FailingOpens
) -> None:
    first = watch.look(ADDER)
    opens.fail("refs.json", errno.ESTALE, times=None)
    clock.advance(TTL_S)
    view = watch.look(ADDER)
    assert opens.hits == 2
    assert view.refs is first.refs
    assert view.error == "models/adder/refs.json cannot be read: Stale file handle"


def test_other_errors_are_not_tried_at_once_again(
    watch: RefsWatch, clock: Clock, opens: FailingOpens
) -> None:
    watch.look(ADDER)
    opens.fail("refs.json", errno.EIO, times=None)
    clock.advance(TTL_S)
    assert watch.look(ADDER).error is not None
    assert opens.hits == 1


def test_where_nothing_is_known_a_failed_check_is_the_calls_error(
    watch: RefsWatch, opens: FailingOpens
) -> None:
    opens.fail("refs.json", errno.EIO, times=None)
    for _ in range(2):
        with pytest.raises(NotReadyError, match=r"models/adder/refs\.json cannot be read"):
            watch.look(ADDER)
    assert watch.views() == {}
    opens.heal()
    assert watch.look(ADDER).refs.generation == 3


def test_a_model_that_is_gone_is_forgotten_and_may_come_back(
    watch: RefsWatch, store: Path, clock: Clock
) -> None:
    first = watch.look(ADDER)
    shutil.rmtree(store / "models" / ADDER)
    clock.advance(TTL_S)
    with pytest.raises(UnknownError):
        watch.look(ADDER)
    assert watch.views() == {}
    publish_adder(store, 7.0)
    again = watch.look(ADDER)
    assert again.identity != first.identity
    assert not again.is_of_same_refs(first)


def test_names_that_are_nobodys_leave_nothing(watch: RefsWatch) -> None:
    for number in range(50):
        for name in (f"made-up-{number}", f"../{number}", f"A{number}"):
            with pytest.raises(UnknownError):
                watch.look(name)
    assert watch._models == {}


def test_of_many_calls_at_once_one_reads(
    watch: RefsWatch, clock: Clock, opens: FailingOpens
) -> None:
    watch.look(ADDER)
    for _ in range(5):
        clock.advance(TTL_S)
        before = opens.hits
        opens.fail("refs.json", errno.EIO, times=None)
        views = at_once(8, lambda _: watch.look(ADDER))
        assert opens.hits == before + 1
        assert {view.refs.generation for view in views} == {3}


def test_what_is_seen_never_goes_back_however_many_look(store: Path, clock: Clock) -> None:
    watch = RefsWatch(StoreLayout(store), ref_ttl_s=0.0)
    enough = threading.Event()

    def look(number: int) -> list[int]:
        if number == 0:
            for turn in range(20):
                point_latest(store, 1 + turn % 3)
            enough.set()
            return []
        seen = []
        while not enough.wait(0.001):
            seen.append(watch.look(ADDER).refs.generation)
        return seen

    for seen in at_once(4, look):
        assert seen == sorted(seen)
    assert watch.look(ADDER).refs.generation == 23


STALE = OSError(errno.ESTALE, "stale")


def caused(error: Exception, cause: BaseException | None) -> Exception:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "stale", "unreadable"),
    [
        (caused(StoreUnreachableError("a"), STALE), True, True),
        (caused(NotReadyError("b"), caused(DamagedError("a"), STALE)), True, True),
        (caused(DamagedError("a"), OSError(errno.EIO, "io")), False, True),
        (caused(DamagedError("a"), OSError(errno.ENOENT, "none")), False, False),
        (caused(DamagedError("a"), OSError(errno.ELOOP, "a link")), False, False),
        (DamagedError("a"), False, False),
        # A pipeline's own files and connections are its contents' business.
        (STALE, False, False),
        (caused(NotReadyError("b"), OSError(errno.EIO, "io")), False, False),
    ],
)
def test_what_an_error_says_of_a_file(error: Exception, *, stale: bool, unreadable: bool) -> None:
    assert (is_stale_handle(error), is_unreadable(error)) == (stale, unreadable)
