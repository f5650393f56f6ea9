"""`python -m inference serve --runtime lambda`: answers, options, and that nothing outlives it."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from inference.local.fleet.process_supervisor import lives, processes
from inference.process.daemon_thread import in_thread
from tests.inference.local.test_serve_ends import WAITING
from tests.support.commands import environ, run, serving, wait_for_file
from tests.support.models import adder_request
from tests.support.places import ROOT
from tests.support.stores import publish_adder
from tests.support.waiting import DEADLINE_S, wait_until

if TYPE_CHECKING:
    from tests.support.commands import Server

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="linux only: so are environments and how they are stopped"
)

FLEET = ("--runtime", "lambda", "--environments", "2")

IMPATIENT = """
import sys
from inference.local import server as local_server
local_server._DRAIN_S = 0.1
from inference.__main__ import main
sys.exit(main(sys.argv[1:]))
"""
WITHOUT_RUNTIME_CLIENT = """
import sys
sys.modules["awslambdaric"] = None
from inference.__main__ import main
sys.exit(main(sys.argv[1:]))
"""
WITHOUT_CONTROL_GROUPS = """
import sys
from inference.local.fleet import cgroups
cgroups._CONTROLLERS = ("memory", "cpu", "magic")
from inference.__main__ import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture(scope="module")
def fleet_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fleet")
    publish_adder(folder / "store", 100.0)
    (folder / "go").touch()  # publishing tries the model
    publish_adder(folder / "store", 1.0, name="waiting", pipeline=WAITING)
    return folder / "store"


def infer(server: Server) -> httpx.Response:
    url = f"{server.url}/v2/models/adder/infer"
    return httpx.post(url, json=adder_request([1.0, 2.0]), trust_env=False, timeout=DEADLINE_S)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_answers_and_a_signal_ends_it_and_its_environments(
    fleet_store: Path, tmp_path: Path, number: int
) -> None:
    with serving(tmp_path / "stderr", "--store", fleet_store, "--memory", "1769", *FLEET) as server:
        for _ in range(3):
            answer = infer(server)
            assert answer.status_code == 200
            assert answer.json()["outputs"][0]["data"] == [101.0, 102.0]
            assert answer.headers["coldpress-version"] == "1"
            assert answer.headers["coldpress-environment"] == "1"
        pids = processes(server.pid)
        assert len(pids) >= 3  # a keeper, the emulator, the runtime
        ended = server.end(number)
    assert (ended.code, ended.out) == (0, server.first_line)
    assert [pid for pid in pids if lives(pid)] == []
    assert '"message":"a version is warm"' in ended.err
    assert "Traceback" not in ended.err


def test_a_call_that_never_ends_does_not_keep_it_from_ending(
    fleet_store: Path, tmp_path: Path
) -> None:
    code = ("-c", IMPATIENT)
    with serving(tmp_path / "stderr", "--store", fleet_store, *FLEET, code=code) as server:
        url = f"{server.url}/models/waiting/predict?folder={tmp_path}"
        call = in_thread(lambda: httpx.post(url, trust_env=False, timeout=DEADLINE_S), "under-way")
        wait_for_file(tmp_path / "begun")
        pids = processes(server.pid)
        server.interrupt(signal.SIGTERM)
        assert in_thread(server.wait, "ends").result(DEADLINE_S).code == 0
        assert [pid for pid in pids if lives(pid)] == []
        call.exception(DEADLINE_S)


def test_nothing_outlives_it_when_it_is_killed(fleet_store: Path, tmp_path: Path) -> None:
    with serving(tmp_path / "stderr", "--store", fleet_store, *FLEET) as server:
        assert infer(server).status_code == 200
        pids = processes(server.pid)
        server.interrupt(signal.SIGKILL)
        wait_until(lambda: not any(map(lives, pids)))
        groups = Path("/sys/fs/cgroup")
        wait_until(lambda: not any(groups.rglob(f"coldpress-{server.pid}-*")))
    assert len(pids) >= 3


def test_what_is_missing_is_said_in_one_line(fleet_store: Path) -> None:
    command = [sys.executable, "-c", WITHOUT_RUNTIME_CLIENT, "serve", "--store", str(fleet_store)]
    done = subprocess.run(
        [*command, "--port", "0", *FLEET],
        cwd=ROOT,
        env=environ(),
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: Lambda's runtime client is not installed: ")
    assert "pip install -r requirements/cloud.txt" in line


def test_that_nothing_is_limited_is_said_in_one_line(fleet_store: Path, tmp_path: Path) -> None:
    code = ("-c", WITHOUT_CONTROL_GROUPS)
    with serving(tmp_path / "stderr", "--store", fleet_store, *FLEET, code=code) as server:
        ended = server.end()
    (line,) = ended.err.splitlines()
    assert line.startswith("memory and processors of environments are not limited here: ")
    assert line.endswith(" magic")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--environments", "4"], "--environments needs --runtime lambda"),
        (["--memory", "512"], "--memory needs --runtime lambda"),
        (["--idle", "5"], "--idle needs --runtime lambda"),
        (["--threads", "2", *FLEET], "--threads needs --runtime process"),
        (["--memory", "64", *FLEET], "'64' is not a memory size in MB: expected 128 to 10240"),
        (["--environments", "0"], "'0' is not a number of environments: expected 1 to 64"),
    ],
)
def test_options_that_do_not_fit_are_refused(
    fleet_store: Path, arguments: list[str], said: str
) -> None:
    ended = run("serve", "--store", fleet_store, *arguments)
    assert (ended.code, ended.out) == (2, "")
    assert said in ended.err


def test_a_wrong_setting_is_refused_at_the_start(fleet_store: Path) -> None:
    ended = run("serve", "--store", fleet_store, *FLEET, env={"REF_TTL_S": "soon"})
    assert ended.code == 1
    assert "REF_TTL_S is 'soon'" in ended.error
