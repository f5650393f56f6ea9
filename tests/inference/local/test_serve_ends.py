"""Start and end of `serve`: signals, ports, stores, and calls in progress."""

from __future__ import annotations

import signal
import socket
from typing import TYPE_CHECKING

import httpx
import pytest

from inference.process.daemon_thread import in_thread
from tests.support.commands import run, serving, wait_for_file
from tests.support.models import adder_request
from tests.support.stores import publish_adder
from tests.support.waiting import DEADLINE_S, wait_until

if TYPE_CHECKING:
    from pathlib import Path

SIGNALS = [signal.SIGINT, signal.SIGTERM]
WAITING = """
import os, time
import numpy

def decode(request):
    folder = request.parameters["folder"]
    open(folder + "/begun", "w").close()
    while not os.path.exists(folder + "/go"):
        time.sleep(0.005)
    return {"x": numpy.ones((1, 2), numpy.float32)}

def encode(outputs, request):
    return outputs
"""


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_ends_it_well(published: Path, tmp_path: Path, number: int) -> None:
    with serving(tmp_path / "stderr", "--store", published) as server:
        url = f"{server.url}/v2/models/adder/infer"
        answer = httpx.post(url, json=adder_request([1.0, 2.0]), trust_env=False)
        assert answer.status_code == 200
        ended = server.end(number)
        wait_until(server.group_is_gone)
    assert (ended.code, ended.out) == (0, server.first_line)
    assert "Traceback" not in ended.err


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_right_after_it_is_ready_ends_it_well(
    published: Path, tmp_path: Path, number: int
) -> None:
    with serving(tmp_path / "stderr", "--store", published) as server:
        ended = server.end(number)
    assert (ended.code, ended.err) == (0, "")


def test_what_is_under_way_is_answered_before_it_ends(tmp_path: Path) -> None:
    store = tmp_path / "store"
    (tmp_path / "go").touch()  # publishing tries the model, but calls nothing
    publish_adder(store, 1.0, name="waiting", pipeline=WAITING)
    (tmp_path / "go").unlink()
    with serving(tmp_path / "stderr", "--store", store) as server:
        url = f"{server.url}/models/waiting/predict?folder={tmp_path}"
        call = in_thread(lambda: httpx.post(url, trust_env=False, timeout=DEADLINE_S), "under-way")
        wait_for_file(tmp_path / "begun")
        server.interrupt(signal.SIGTERM)
        (tmp_path / "go").touch()
        assert call.result(DEADLINE_S).json() == {"y": [[2.0, 2.0]]}
        assert server.wait().code == 0


# A short time to finish calls in progress, to keep the test short.
IMPATIENT = """
import sys
from inference.local import server as local_server
local_server._DRAIN_S = 0.1
from inference.__main__ import main
sys.exit(main(sys.argv[1:]))
"""


def test_a_call_that_never_ends_does_not_keep_it_from_ending(tmp_path: Path) -> None:
    store = tmp_path / "store"
    publish_adder(store, 1.0, name="waiting", pipeline=WAITING)
    code = ("-c", IMPATIENT)
    with serving(tmp_path / "stderr", "--store", store, code=code) as server:
        url = f"{server.url}/models/waiting/predict?folder={tmp_path}"
        call = in_thread(lambda: httpx.post(url, trust_env=False, timeout=DEADLINE_S), "under-way")
        wait_for_file(tmp_path / "begun")
        server.interrupt(signal.SIGTERM)
        ended = in_thread(server.wait, "ends")
        try:
            assert ended.result(DEADLINE_S).code == 0
        finally:
            (tmp_path / "go").touch()
            call.exception(DEADLINE_S)
            ended.result(DEADLINE_S)


def test_a_port_that_is_taken_is_said_in_one_line(published: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        ended = run("serve", "--store", published, "--port", str(port))
    assert ended.code == 1
    assert ended.error.startswith(f"port {port} of 127.0.0.1 is in use")
    assert "name another port" in ended.error


def test_a_port_of_ones_own_is_served(published: Path, tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    arguments = ("--store", published, "--port", str(port))
    with serving(tmp_path / "stderr", *arguments) as server:
        assert server.url == f"http://127.0.0.1:{port}"
        assert httpx.get(f"{server.url}/v2", trust_env=False).status_code == 200


def test_a_port_may_be_served_again_as_soon_as_it_is_free(published: Path, tmp_path: Path) -> None:
    port = "0"
    for turn in ("first", "second"):
        arguments = ("--store", published, "--port", port)
        with serving(tmp_path / turn, *arguments) as server:
            # The side that closes a connection first remembers it for a minute: here, the server.
            closing = {"connection": "close"}
            answer = httpx.get(f"{server.url}/v2", headers=closing, trust_env=False)
            assert answer.status_code == 200
            port = str(httpx.URL(server.url).port)
            assert server.end().code == 0


def test_it_listens_on_this_machine_only(published: Path, tmp_path: Path) -> None:
    with serving(tmp_path / "stderr", "--store", published) as server:
        port = httpx.URL(server.url).port
        # All of 127.0.0.0/8 is this machine; a server on every address would answer there.
        with pytest.raises(OSError, match="refused"):
            socket.create_connection(("127.0.0.2", port), timeout=DEADLINE_S)


@pytest.mark.parametrize("debug", [False, True])
def test_a_pipelines_traceback_is_shown_with_debug_only(
    surface_store: Path, tmp_path: Path, debug: bool
) -> None:
    flags = ["--debug"] if debug else []
    with serving(tmp_path / "stderr", "--store", surface_store, *flags) as server:
        url = f"{server.url}/models/echo/predict?decode=raise"
        assert httpx.post(url, trust_env=False).status_code == 500
        ended = server.end()
    assert ended.code == 0
    assert "pipeline.py failed in decode()" in ended.err
    assert ("Traceback" in ended.err) == debug


# Looks at the sockets of the process itself: does the one to the client send at once?
WATCHED = """
import os, socket, sys, threading, time
def look():
    while True:
        for fd in os.listdir("/proc/self/fd"):
            try:
                found = socket.socket(fileno=int(fd))
            except OSError:
                continue
            try:
                found.getpeername()
                at_once = found.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            except OSError:
                continue
            finally:
                found.detach()
            os.write(2, b"sends at once: %d\\n" % bool(at_once))
            return
        time.sleep(0.005)
threading.Thread(target=look, daemon=True).start()
from inference.__main__ import main
sys.exit(main(sys.argv[1:]))
"""


def test_an_answer_is_sent_at_once(published: Path, tmp_path: Path) -> None:
    # Otherwise the second piece of each waits for the client to acknowledge the first: 40 ms.
    arguments = ("--store", published)
    with (
        serving(tmp_path / "stderr", *arguments, code=("-c", WATCHED)) as server,
        httpx.Client(base_url=server.url, trust_env=False) as client,
    ):
        assert client.get("/v2").status_code == 200
        wait_until(lambda: "sends at once" in server.err)
        assert "sends at once: 1" in server.err


def test_many_calls_print_no_metrics(published: Path, tmp_path: Path) -> None:
    with serving(tmp_path / "stderr", "--store", published, "--threads", "1") as server:
        with httpx.Client(base_url=server.url, trust_env=False) as client:
            for _ in range(120):
                assert client.get("/v2").status_code == 200
        ended = server.end()
    assert ended.out == server.first_line
    assert ended.err == ""
