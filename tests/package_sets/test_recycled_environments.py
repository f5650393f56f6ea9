"""An environment restarts if imported packages block a version: in the real Lambda runtime.

The environment is frozen between calls, as strictly as on Lambda.
"""

from __future__ import annotations

import os
import shutil
import sys
from typing import TYPE_CHECKING, Any, Final

import pytest

from bench.events import http_event
from inference.lambda_runtime.recycling import LEAST_APART_S
from inference.local.fleet.emulator_binary import emulator_path
from inference.local.fleet.environment import LambdaEnvironment
from model_sync.progress import Silent
from model_sync.publishing.publish import publish
from tests.support.packaged_models import MODEL, write_greeter
from tests.support.places import ROOT
from tests.support.stores import commit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from model_store.layout import StoreLayout
    from model_store.refs import Refs

    Make = Callable[..., LambdaEnvironment]

LONG_AGO: Final = "2026-01-01T00:00:00Z"
RECYCLED: Final = '"EnvironmentsRecycled":[1.0]'

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="the Lambda runtime exists on Linux only"
)


@pytest.fixture(scope="module", autouse=True)
def emulator() -> Path:
    """Fetched before a folder of wheels is all that pip can find."""
    return emulator_path()


@pytest.fixture
def publish_greeter(layout: StoreLayout, wheels: Path) -> Callable[..., None]:
    def publish_greeter(package: str, version: str, name: str = MODEL) -> None:
        folder = layout.root.parent / name
        shutil.rmtree(folder, ignore_errors=True)
        write_greeter(folder, wheels, package, version=version)
        publish(folder, layout.root, progress=Silent())

    return publish_greeter


@pytest.fixture
def make(layout: StoreLayout) -> Iterator[Make]:
    made: list[LambdaEnvironment] = []

    def make(**environ: str) -> LambdaEnvironment:
        settings = {"STORE_PATH": str(layout.root), "REF_TTL_S": "0", "MAX_STALENESS_S": "0"}
        environment = LambdaEnvironment(
            "inference.predict_function.handler",
            environ=settings | environ,
            cwd=ROOT,
            frozen_between_calls=True,
        ).start()
        made.append(environment)
        return environment

    yield make
    for environment in made:
        environment.stop()


def answer(environment: LambdaEnvironment, name: str = MODEL) -> tuple[int, Any]:
    answered = environment.invoke(http_event(f"/models/{name}/predict", b"[1, 2]"))
    return answered["statusCode"], answered["body"]


def open_files(environment: LambdaEnvironment) -> int:
    """Return the number of files that the runtime's process has open; it is the last process."""
    return len(os.listdir(f"/proc/{environment.pids()[-1]}/fd"))  # noqa: PTH208 - a count


@pytest.mark.parametrize("background", ["auto", "extension", "thread"])
def test_a_version_with_other_wheels_answers_soon_in_the_same_environment(
    publish_greeter: Callable[..., None], make: Make, background: str
) -> None:
    publish_greeter("moves_on", "1.0")
    environment = make(BACKGROUND=background)
    assert answer(environment) == (200, "moves_on 1.0")
    pids, files = environment.pids(), open_files(environment)
    publish_greeter("moves_on", "2.0")
    answers = [answer(environment) for _ in range(8)]
    assert answers[0] == (200, "moves_on 1.0")
    assert answers[-5:] == [(200, "moves_on 2.0")] * 5
    assert environment.pids() == pids
    assert open_files(environment) <= files
    assert environment.logs().count(RECYCLED) == 1


def test_an_environment_whose_package_set_may_be_swept_fails_one_call_and_no_more(
    publish_greeter: Callable[..., None], layout: StoreLayout, make: Make
) -> None:
    publish_greeter("swept", "1.0")
    environment = make()
    assert answer(environment) == (200, "swept 1.0")
    publish_greeter("stays", "1.0")  # which the environment loads beside the other
    while answer(environment) != (200, "stays 1.0"):
        pass
    assert RECYCLED not in environment.logs()

    def retire(refs: Refs) -> Refs:
        entry = refs.versions[1]._replace(
            state=type(refs.versions[1].state).RETIRED, retired_at=LONG_AGO, sweep_after=LONG_AGO
        )
        return refs._replace(versions={**refs.versions, 1: entry})

    commit(layout.root, MODEL, retire)
    status, reason = answer(environment)
    assert (status, "imported from a package set" in reason) == (503, True)
    assert [answer(environment) for _ in range(3)] == [(200, "stays 1.0")] * 3
    assert environment.logs().count(RECYCLED) == 1


def test_two_models_that_cannot_be_in_one_process_do_not_take_turns(
    publish_greeter: Callable[..., None], make: Make
) -> None:
    publish_greeter("shared", "1.0", "one")
    publish_greeter("shared", "2.0", "two")
    environment = make()
    assert answer(environment, "one") == (200, "shared 1.0")
    for _ in range(3):
        assert answer(environment, "one") == (200, "shared 1.0")
        status, reason = answer(environment, "two")
        assert (status, "needs shared 2.0" in reason) == (503, True)
    assert RECYCLED not in environment.logs()


def test_an_environment_does_not_start_anew_again_and_again(
    publish_greeter: Callable[..., None], make: Make
) -> None:
    publish_greeter("often", "1.0")
    environment = make()
    answer(environment)
    for version in ("2.0", "3.0"):
        publish_greeter("often", version)
        answers = [answer(environment) for _ in range(5)]
        assert {status for status, _ in answers} == {200}
    assert answers[-1] == (200, "often 2.0"), f"not before {LEAST_APART_S} s have passed"
    assert environment.logs().count(RECYCLED) == 1
