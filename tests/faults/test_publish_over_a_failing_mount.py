"""Whatever the file system refuses during a publication: one line, nothing torn, and go on.

Each case lets one call of one kind fail, publishes, looks at what there is, and publishes again.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest

from bench.efs_stand_in import DIE
from tests.faults.mounted_stores import MountedStore
from tests.support.stores import ADDER

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bench.efs_stand_in import Counts, EfsStandIn

pytestmark = pytest.mark.slow

ERRORS = ("EIO", "ENOSPC", "EDQUOT", "ESTALE")
WRITING = ("create", "setattr", "write", "fsync", "flush", "mkdir", "rename", "link", "fsyncdir")
READING = ("open", "read", "lookup")


@pytest.fixture(scope="module")
def shared_store(
    shared_efs: EfsStandIn, tmp_path_factory: pytest.TempPathFactory
) -> tuple[MountedStore, Counts]:
    """A store of two versions, and what calls it took to publish the second."""
    store = MountedStore(shared_efs, tmp_path_factory.mktemp("sources"))
    assert store.publish().code == 0
    shared_efs.reset()
    assert store.publish().code == 0
    return store, shared_efs.counts()


@pytest.fixture
def mounted_store(shared_store: tuple[MountedStore, Counts]) -> Iterator[MountedStore]:
    """The store that this module's tests share, each of which leaves it as it should be."""
    store, _ = shared_store
    yield store
    store.efs.heal()


def first_middle_last(calls: int) -> list[int]:
    return sorted({1, (calls + 1) // 2, calls} - {0})


def check(store: MountedStore, verb: tuple[str, ...], before: object) -> bool:
    """Run a verb with a failing call: it succeeds, or reports the error and changes nothing."""
    done = store.publish() if verb == ("publish",) else store.run(*verb)
    after = store.refs()
    store.efs.heal()
    if done.code == 0:
        assert after != before, "it said that it was done"
        assert done.err == "" or done.err.startswith("warning: generation "), done.err
        assert len(done.err.splitlines()) <= 1
    else:
        assert after == before, "it said that it failed"
        assert done.code in {1, 3}
        assert done.out == ""
        assert done.err.startswith("error: ")
        assert len(done.err.splitlines()) == 1
        assert len(done.err) > len("error: [Errno 116] Stale file handle\n"), "of what?"
    verified = store.run("verify")
    assert verified.code == 0, verified.out
    return done.code != 0


@pytest.mark.parametrize("operation", WRITING + READING)
def test_a_publication_of_which_one_call_fails(
    mounted_store: MountedStore, shared_store: tuple[MountedStore, Counts], operation: str
) -> None:
    calls = shared_store[1][operation]
    # Not every error at every call, which would take long; and not ESTALE first: the kernel itself
    # asks once more then.
    errors = itertools.islice(itertools.cycle(ERRORS), len(operation) % 3, None)
    failed = 0
    for nth in first_middle_last(calls):
        before = mounted_store.refs()
        fault = mounted_store.efs.fail(operation, next(errors), nth=nth)
        failed += check(mounted_store, ("publish",), before)
        assert fault.hits <= 1
    if operation in WRITING:
        assert failed
    assert mounted_store.publish().code == 0


@pytest.mark.parametrize("error", ["EIO", "EDQUOT", "ESTALE"])
def test_a_promotion_of_which_one_call_fails(mounted_store: MountedStore, error: str) -> None:
    assert mounted_store.run("promote", ADDER, "2").code == 0
    mounted_store.efs.reset()
    assert mounted_store.run("promote", ADDER, "1").code == 0
    counts = mounted_store.efs.counts()
    for operation in WRITING:
        for nth in first_middle_last(counts[operation]):
            before = mounted_store.refs()
            other = 3 - mounted_store.latest()
            fault = mounted_store.efs.fail(operation, error, nth=nth)
            check(mounted_store, ("promote", ADDER, f"{other}"), before)
            assert fault.hits <= 1
            assert mounted_store.run("promote", ADDER, f"{other}").code == 0
            assert mounted_store.latest() == other


@pytest.mark.parametrize("error", ["EIO", "EEXIST", "ESTALE"])
def test_a_commit_whose_answer_was_lost_is_one_commit(
    mounted_store: MountedStore, error: str
) -> None:
    """NFS may repeat a link that succeeded, and answer that the name exists."""
    before = mounted_store.refs()
    assert before is not None
    mounted_store.efs.fail("link", error, "*/refs/*.json", after=True)
    assert mounted_store.publish().code == 0
    after = mounted_store.refs()
    assert after is not None
    assert after.generation == before.generation + 1
    assert mounted_store.run("verify").code == 0


@pytest.mark.parametrize("operation", ["write", "rename", "link"])
def test_a_mount_that_goes_during_a_publication(
    efs: EfsStandIn, tmp_path: Path, operation: str
) -> None:
    store = MountedStore(efs, tmp_path)
    assert store.publish().code == 0
    before = store.refs()
    efs.fail(operation, DIE, nth=1)
    done = store.publish()
    assert done.code in {1, 3}
    assert len(done.err.splitlines()) == 1
    assert store.refs() == before
    efs.restart()
    assert store.publish().code == 0
    assert store.run("verify").code == 0


def test_a_store_whose_mount_is_gone_is_out_of_reach_and_never_made_anew(
    efs: EfsStandIn, tmp_path: Path
) -> None:
    store = MountedStore(efs, tmp_path)
    assert store.publish().code == 0
    efs.kill()
    for done in (store.publish(), store.run("list"), store.run("promote", ADDER, "1")):
        assert done.code == 3, done.err
        assert len(done.err.splitlines()) == 1
    assert store.latest() == 1
