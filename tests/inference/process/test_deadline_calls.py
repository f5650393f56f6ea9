from __future__ import annotations

import sys
import threading
import weakref
from concurrent.futures import wait
from typing import TYPE_CHECKING

import pytest

from inference.process.daemon_thread import in_thread
from inference.process.deadline_calls import MAX_IN_PROGRESS, DeadlineCalls
from model_store.errors import StoreUnreachableError
from tests.support.threads import at_once
from tests.support.waiting import DEADLINE_S, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType


class Hanging:
    """An operation that hangs until it is released, and counts how often it was started."""

    def __init__(self) -> None:
        self.released = threading.Event()
        self.starts = 0

    def __call__(self) -> int:
        self.starts += 1
        assert self.released.wait(DEADLINE_S)
        return self.starts


def running(name: str) -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == name]


@pytest.fixture
def hanging() -> Iterator[Hanging]:
    operation = Hanging()
    yield operation
    operation.released.set()


@pytest.fixture
def calls() -> DeadlineCalls:
    return DeadlineCalls()


def test_a_result_comes_back(calls: DeadlineCalls) -> None:
    assert calls.run("key", lambda: 7, DEADLINE_S) == 7
    assert not calls.is_in_progress("key")


@pytest.mark.parametrize("error", [ValueError("no"), KeyError("k"), TimeoutError("own")])
def test_an_operations_own_error_comes_back_as_it_is(
    calls: DeadlineCalls, error: Exception
) -> None:
    def fail() -> None:
        raise error

    with pytest.raises(type(error)) as caught:
        calls.run("key", fail, DEADLINE_S)
    assert caught.value is error
    assert not calls.is_in_progress("key")


class Held:
    """Resource that an operation holds when it fails."""


def raise_it(held: list[weakref.ref[Held]]) -> None:
    mine = Held()
    held.append(weakref.ref(mine))
    raise KeyError(id(mine))


def raise_its_effect(held: list[weakref.ref[Held]]) -> None:
    try:
        raise_it(held)
    except KeyError as error:
        raise ValueError("told otherwise") from error


def raise_another_meanwhile(held: list[weakref.ref[Held]]) -> None:
    try:
        raise_it(held)
    except KeyError:
        raise ValueError("told alone") from None


def raise_in_a_circle(held: list[weakref.ref[Held]]) -> None:
    first, second = ValueError("first"), ValueError("second")
    first.__cause__, second.__cause__ = second, first
    try:
        raise_it(held)
    except KeyError as error:
        error.__cause__ = second
        raise first from error


@pytest.mark.parametrize(
    "fail", [raise_it, raise_its_effect, raise_another_meanwhile, raise_in_a_circle]
)
def test_what_an_operation_held_when_it_failed_is_let_go(
    fail: Callable[[list[weakref.ref[Held]]], None],
) -> None:
    held: list[weakref.ref[Held]] = []
    future = in_thread(lambda: fail(held), "fails")
    error = future.exception(DEADLINE_S)
    # At once: nothing waits for the garbage collector, though the error is still here.
    assert isinstance(error, KeyError | ValueError)
    assert [each() for each in held] == [None]


def test_a_hanging_operation_is_given_up_at_its_deadline(
    calls: DeadlineCalls, hanging: Hanging
) -> None:
    with pytest.raises(StoreUnreachableError, match=r"did not answer within 0\.01 s"):
        calls.run("key", hanging, 0.01)
    assert calls.is_in_progress("key")


def test_a_hanging_operation_is_joined_and_not_started_again(
    calls: DeadlineCalls, hanging: Hanging
) -> None:
    for _ in range(3):
        with pytest.raises(StoreUnreachableError):
            calls.run("key", hanging, 0.01)
    assert hanging.starts == 1
    joined = in_thread(lambda: calls.run("key", hanging, DEADLINE_S), "joins")
    hanging.released.set()
    assert joined.result(DEADLINE_S) == 1
    assert hanging.starts == 1


def test_threads_that_ask_at_once_share_one_operation(
    calls: DeadlineCalls, hanging: Hanging
) -> None:
    def ask(_: int) -> None:
        with pytest.raises(StoreUnreachableError):
            calls.run("key", hanging, 0.01)

    at_once(8, ask)
    assert hanging.starts == 1


def test_after_its_end_an_operation_is_started_anew(calls: DeadlineCalls, hanging: Hanging) -> None:
    with pytest.raises(StoreUnreachableError):
        calls.run("key", hanging, 0.01)
    hanging.released.set()
    wait_until(lambda: not calls.is_in_progress("key"))
    assert calls.run("key", hanging, DEADLINE_S) == 2


def test_operations_of_other_keys_do_not_wait(calls: DeadlineCalls, hanging: Hanging) -> None:
    with pytest.raises(StoreUnreachableError):
        calls.run("hangs", hanging, 0.01)
    assert calls.run("other", lambda: 1, DEADLINE_S) == 1
    assert not calls.is_in_progress("other")


def test_what_an_operation_does_at_its_end_still_happens(
    calls: DeadlineCalls, hanging: Hanging
) -> None:
    ended = threading.Event()

    def work() -> None:
        hanging()
        ended.set()

    with pytest.raises(StoreUnreachableError):
        calls.run("key", work, 0.01)
    hanging.released.set()
    assert ended.wait(DEADLINE_S)


def test_there_is_a_limit_to_how_many_hang(calls: DeadlineCalls, hanging: Hanging) -> None:
    for number in range(MAX_IN_PROGRESS):
        with pytest.raises(StoreUnreachableError, match="did not answer"):
            calls.run(number, hanging, 0.0)
    with pytest.raises(StoreUnreachableError, match=f"{MAX_IN_PROGRESS} operations hang"):
        calls.run("one more", hanging, 0.0)
    assert hanging.starts <= MAX_IN_PROGRESS
    with pytest.raises(StoreUnreachableError, match="did not answer"):
        calls.run(0, hanging, 0.0)  # one that hangs may still be joined
    hanging.released.set()
    wait_until(lambda: not any(calls.is_in_progress(n) for n in range(MAX_IN_PROGRESS)))
    assert calls.run("one more", lambda: 1, DEADLINE_S) == 1


def test_a_thread_never_keeps_the_process_from_ending(
    calls: DeadlineCalls, hanging: Hanging
) -> None:
    with pytest.raises(StoreUnreachableError):
        calls.run("daemon", hanging, 0.01)
    assert [thread.daemon for thread in running("coldpress-daemon")] == [True]


def test_an_operation_that_ends_just_after_its_deadline_is_not_its_own_timeout(
    calls: DeadlineCalls, hanging: Hanging
) -> None:
    def end_it(frame: FrameType, event: str, _: object) -> None:
        if event == "return" and frame.f_code is wait.__code__:
            hanging.released.set()
            wait_until(lambda: not running("coldpress-late"))

    sys.setprofile(end_it)
    try:
        result = calls.run("late", hanging, 0.01)
    except StoreUnreachableError:
        return
    finally:
        sys.setprofile(None)
    assert result == 1
