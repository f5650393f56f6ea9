"""`python -m inference serve` over real HTTP."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import httpx
import pytest

from inference.http.limits import PAYLOAD_LIMIT_BYTES
from tests.support.commands import Server, serving
from tests.support.models import adder_request
from tests.support.threads import at_once
from tests.support.waiting import DEADLINE_S

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

INFER = "/v2/models/adder/infer"


@pytest.fixture(scope="module")
def server(surface_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    stderr = tmp_path_factory.mktemp("serve") / "stderr"
    with serving(stderr, "--store", surface_store, "--model", "echo") as server:
        yield server
        ended = server.end()
    assert (ended.code, ended.out) == (0, server.first_line)


@pytest.fixture(scope="module")
def client(server: Server) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, trust_env=False, timeout=DEADLINE_S) as client:
        yield client


def test_it_says_where_it_serves(server: Server) -> None:
    url = httpx.URL(server.url)
    assert (url.scheme, url.host) == ("http", "127.0.0.1")
    assert server.first_line == f"coldpress ready {server.url}\n"


def test_an_inference(client: httpx.Client) -> None:
    answer = client.post(INFER, json=adder_request([1.0, 2.0]))
    assert answer.status_code == 200
    assert answer.json()["outputs"][0]["data"] == [301.0, 302.0]
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["coldpress-version"] == "3"
    assert answer.headers["coldpress-label"] == "latest"
    assert answer.headers["coldpress-request-id"]
    assert int(answer.headers["content-length"]) == len(answer.content)


def test_each_call_has_its_own_request_id(client: httpx.Client) -> None:
    ids = {client.get("/v2").headers["coldpress-request-id"] for _ in range(5)}
    assert len(ids) == 5


def test_a_prediction_by_the_default_model(client: httpx.Client) -> None:
    answer = client.post("/predict", content=bytes(range(256)), params={"top": "é &"})
    assert answer.status_code == 200
    document = answer.json()
    assert document["parameters"] == {"top": "é &"}
    assert len(document["body"]) == 344


def test_a_binary_answer(client: httpx.Client) -> None:
    answer = client.post("/predict", params={"encode": "png"})
    assert (answer.headers["content-type"], answer.content) == ("image/png", b"\x89PNG")


def test_a_text_answer(client: httpx.Client) -> None:
    answer = client.post("/models/echo/predict", params={"encode": "text"})
    assert answer.text == "héllo"


def test_health_and_metadata(client: httpx.Client) -> None:
    assert client.get("/v2/health/ready").json() == {"live": True, "ready": True}
    assert client.get("/v2/models/adder").json()["versions"] == ["2", "3"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/x", 404), ("PUT", INFER, 405), ("GET", "/%00%ff", 404), ("POST", INFER, 400)],
)
def test_an_error_is_json(client: httpx.Client, method: str, path: str, status: int) -> None:
    answer = client.request(method, path)
    assert answer.status_code == status
    assert list(answer.json()) == ["error"]


def test_a_head_request_is_answered_without_a_body(client: httpx.Client) -> None:
    assert client.head("/v2").content == b""
    assert client.get("/v2").status_code == 200


def test_a_connection_is_kept_alive(server: Server) -> None:
    limits = httpx.Limits(max_connections=1)
    ports = set()
    with httpx.Client(base_url=server.url, trust_env=False, limits=limits) as client:
        for _ in range(20):
            with client.stream("POST", INFER, json=adder_request([1.0, 2.0])) as answer:
                assert answer.status_code == 200
                stream = answer.extensions["network_stream"]
                ports.add(stream.get_extra_info("client_addr")[1])
                answer.read()
    assert len(ports) == 1


def test_four_clients_at_once_get_their_own_answers(server: Server) -> None:
    def call(number: int) -> None:
        with httpx.Client(base_url=server.url, trust_env=False, timeout=DEADLINE_S) as client:
            for turn in range(20):
                x = float(number * 100 + turn)
                answer = client.post(INFER, json=adder_request([x, -x]))
                assert answer.json()["outputs"][0]["data"] == [x + 300, -x + 300]

    at_once(4, call)


@pytest.mark.parametrize("size", [PAYLOAD_LIMIT_BYTES - 1000, PAYLOAD_LIMIT_BYTES * 2])
def test_a_request_over_the_limit_is_refused(client: httpx.Client, size: int) -> None:
    # As base64 the smaller one passes the limit, too.
    answer = client.post("/predict", content=b"x" * size)
    assert answer.status_code == 413
    assert f"Lambda takes at most {PAYLOAD_LIMIT_BYTES}" in answer.json()["error"]
    assert client.get("/v2").status_code == 200


def test_a_request_in_chunks_over_the_limit_is_refused(client: httpx.Client) -> None:
    answer = client.post("/predict", content=(b"x" * 1_000_000 for _ in range(8)))
    assert answer.status_code == 413


def test_an_answer_over_the_limit_is_refused(client: httpx.Client) -> None:
    query = {"encode": "big", "unit": "x", "times": "7000000"}
    answer = client.post("/predict", params=query, headers={"accept-encoding": "identity"})
    assert answer.status_code == 413
    assert answer.headers["coldpress-model"] == "echo"


def test_an_answer_over_the_limit_fits_when_it_is_compressed(client: httpx.Client) -> None:
    query = {"encode": "big", "unit": "x", "times": "7000000"}
    answer = client.post("/predict", params=query, headers={"accept-encoding": "gzip"})
    assert answer.status_code == 200
    assert answer.headers["content-encoding"] == "gzip"
    assert len(answer.content) == 7_000_000


def test_an_answer_just_under_the_limit_comes_whole(client: httpx.Client) -> None:
    query = {"encode": "big", "unit": "x", "times": "6000000"}
    answer = client.post("/predict", params=query, headers={"accept-encoding": "identity"})
    assert len(answer.content) == 6_000_000


def test_json_of_any_client_library_is_read(client: httpx.Client) -> None:
    compact = json.dumps(adder_request([1.0, 2.0]), separators=(",", ":"))
    for headers in ({}, {"content-type": "application/json; charset=UTF-8"}):
        answer = client.post(INFER, content=compact, headers=headers)
        assert answer.status_code == 200


def test_what_a_pipeline_did_wrong_is_no_traceback_on_stderr(
    server: Server, client: httpx.Client
) -> None:
    answer = client.post("/predict", params={"encode": "raise"})
    assert answer.status_code == 500
    assert "pipeline.py failed in encode()" in server.err
    assert "Traceback" not in server.err
    assert re.search(r"KeyError: .* \(pipeline\.py, line \d+\)", server.err)
