"""A version with other packages, published under a fleet that answers on: no call fails."""

from __future__ import annotations

import http.client
import sys
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from bench.steady_load import STEP, SteadyLoad
from inference.local.fleet.emulator_binary import emulator_path
from model_sync.progress import Silent
from model_sync.publishing.publish import publish
from model_sync.store_io.create_store import open_store
from tests.support.commands import serving
from tests.support.packaged_models import MODEL, write_greeter
from tests.support.wheels import offer_wheels

if TYPE_CHECKING:
    from pathlib import Path

ENVIRONMENTS = 4

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="the Lambda runtime exists on Linux only"),
]


@pytest.fixture(scope="module", autouse=True)
def emulator() -> Path:
    """Fetched before a folder of wheels is all that pip can find."""
    return emulator_path()


def publish_version(store: Path, number: int) -> None:
    """Version n adds n times STEP, and greets as n.0 of its package does."""
    folder, wheels = store.parent / f"{MODEL}-{number}", store.parent / "wheels"
    write_greeter(folder, wheels, "rolls", version=f"{number}.0", constant=number * STEP)
    folder.joinpath("model.toml").write_text(
        f'name = "{MODEL}"\n' + folder.joinpath("model.toml").read_text()
    )
    publish(folder, store, progress=Silent())


def greet(url: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=30)
    connection.request("POST", f"/models/{MODEL}/predict", b"[1, 2]")
    response = connection.getresponse()
    answered = response.status, response.read()
    connection.close()
    return answered


def test_every_environment_of_a_fleet_starts_anew_and_no_call_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    offer_wheels(monkeypatch, tmp_path / "wheels")
    store = open_store(tmp_path / "store").root
    publish_version(store, 1)
    fleet = ["--runtime", "lambda", "--environments", str(ENVIRONMENTS), "--memory", "1769"]
    often = {"REF_TTL_S": "0.1", "MAX_STALENESS_S": "2"}
    with serving(tmp_path / "stderr", "--store", store, *fleet, env=often) as server:
        infer = f"/v2/models/{MODEL}/infer"
        with SteadyLoad(server.url, infer, clients=ENVIRONMENTS) as load:
            load.wait_until(lambda: len(load.newest_by_environment()) == ENVIRONMENTS, "starting")
            publish_version(store, 2)
            newest = dict.fromkeys(range(1, ENVIRONMENTS + 1), 2)
            load.wait_until(lambda: load.newest_by_environment() == newest, "starting anew")
        greetings = {greet(server.url) for _ in range(ENVIRONMENTS)}
        ended = server.end()
    assert [call for call in load.calls if call.problem] == []
    assert [call for call in load.calls if not call.right or call.named is None] == []
    assert {call.environment for call in load.calls} == set(newest)
    assert greetings == {(200, b"rolls 2.0")}
    assert ended.err.count("the environment restarts") == ENVIRONMENTS
    assert "has ended" not in ended.err
    assert ended.code == 0
