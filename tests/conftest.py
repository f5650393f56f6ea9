"""State that is restored after every test; distribution and order of tests; interrupts."""

from __future__ import annotations

import contextlib
import gc
import shutil
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from tests.forked_children import forked_children
from tests.interrupts import interruptible
from tests.sharing import ByWhatIsMadeOnce, is_first
from tests.support.wheels import offer_wheels
from tests.syncing import no_waiting_for_the_disk

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from pathlib import Path

    from xdist.remote import Producer


# Properties whose tests say no number of examples; those that do, say it by support/examples.py.
settings.register_profile("quick", settings(), deadline=None, max_examples=50)
settings.register_profile("exhaustive", settings(), deadline=None, max_examples=500)
settings.load_profile("quick")  # --hypothesis-profile, which comes later, names another


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> ByWhatIsMadeOnce:
    """Share tests out, where there is more than one process."""
    return ByWhatIsMadeOnce(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest; the order of all else stays."""
    items.sort(key=lambda item: not is_first(item.nodeid))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Fork what publishers run, and wait for no disk; also for the fixtures that publish."""
    with contextlib.ExitStack() as stack:
        if not item.get_closest_marker("own_processes"):
            stack.enter_context(forked_children())
        if not (item.get_closest_marker("slow") or item.get_closest_marker("exhaustive")):
            stack.enter_context(no_waiting_for_the_disk())
        return (yield)


@pytest.fixture(scope="session", autouse=True)
def interrupts() -> Iterator[None]:
    """Make children of tests interruptible, even if the tests themselves ignore SIGINT."""
    with interruptible():
        yield


@pytest.fixture(autouse=True)
def collected() -> Iterator[None]:
    """Unfreeze the garbage collector, which loads with package sets freeze (gc_pause.py).

    Hypothesis, imported after that, asks the collector who holds an object of its own.
    """
    yield
    gc.unfreeze()


@pytest.fixture(scope="session")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of one model, `adder`: version n of 3 adds n times STEP. Not to be changed."""
    from tests.support.stores import STEP, publish_adder  # noqa: PLC0415 - a second of imports

    store = tmp_path_factory.mktemp("published") / "store"
    for number in (1, 2, 3):
        publish_adder(store, number * STEP)
    return store


@pytest.fixture(scope="session")
def one_version(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of one version of `adder`, which adds 10. Not to be changed."""
    from tests.support.stores import publish_adder  # noqa: PLC0415 - a second of imports

    store = tmp_path_factory.mktemp("published") / "store"
    publish_adder(store, 10.0)
    return store


@pytest.fixture
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A store that the test may change: a copy of `published`.

    `pytest.mark.store_of("other_store")` names a fixture whose store is copied instead.
    """
    marker = request.node.get_closest_marker("store_of")
    source: Path = request.getfixturevalue(marker.args[0] if marker else "published")
    return shutil.copytree(source, tmp_path / "store")


@pytest.fixture(scope="session")
def s3_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of a real S3 server on loopback."""
    from tests.support.s3_server import s3_server  # noqa: PLC0415 - imports boto3

    with s3_server(tmp_path_factory.mktemp("s3")) as port:
        yield port


@pytest.fixture
def wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder; the wheels in it are all that pip can find."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    offer_wheels(monkeypatch, folder)
    return folder
