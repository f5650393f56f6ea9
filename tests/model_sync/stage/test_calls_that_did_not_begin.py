"""A call that Lambda refuses before the function runs is sent again; others are sent once."""

from __future__ import annotations

import contextlib
import http.server
import json
import threading
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config

from model_sync.errors import StageError, StageUnreachableError
from model_sync.stage import stack as stage_module
from model_sync.stage.stack import StageStack

if TYPE_CHECKING:
    from collections.abc import Iterator

MOUNT_ERRORS = (
    "EFSMountConnectivityException",
    "EFSMountFailureException",
    "EFSMountTimeoutException",
    "EFSIOException",
)
TRIES = 6


class Lambda(http.server.BaseHTTPRequestHandler):
    """Answers calls with the errors of `refusals`, one each, then with {"state": "done"}."""

    refusals: list[str]
    calls: int

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        type(self).calls += 1
        refusal = self.refusals.pop(0) if self.refusals else None
        body = {"message": "the mount is not there"} if refusal else {"state": "done"}
        self.send_response(410 if refusal else 200)
        if refusal:
            self.send_header("x-amzn-ErrorType", refusal)
        data = json.dumps(body).encode()
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
        pass


@contextlib.contextmanager
def deployed(*refusals: str) -> Iterator[tuple[StageStack, type[Lambda]]]:
    """A stage whose Lambda refuses the first calls."""
    handler = type("Handler", (Lambda,), {"refusals": [*refusals], "calls": 0})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        try:
            yield StageStack("dev", {"SyncFunction": "sync"}, client(server.server_port)), handler
        finally:
            server.shutdown()


def client(port: int) -> Any:
    return boto3.client(
        "lambda",
        endpoint_url=f"http://127.0.0.1:{port}",
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",  # noqa: S106
        config=Config(retries={"total_max_attempts": 1}),
    )


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stage_module, "_WAITS_S", (0.0,) * (TRIES - 1))


@pytest.mark.parametrize("error", [*MOUNT_ERRORS, "TooManyRequestsException"])
def test_a_call_that_did_not_begin_is_made_again(error: str) -> None:
    with deployed(error, error) as (stage, handler):
        assert stage.call("SyncFunction", {"verb": "list"}) == {"state": "done"}
        assert handler.calls == 3


def test_a_mount_that_stays_away_is_told_in_one_line() -> None:
    with deployed(*["EFSIOException"] * 20) as (stage, handler):
        with pytest.raises(StageError) as raised:
            stage.call("SyncFunction", {"verb": "list"})
        assert handler.calls == TRIES
    message = str(raised.value)
    assert message.startswith("the function sync of stage 'dev' cannot be used: ")
    assert "the mount is not there" in message
    assert "\n" not in message


@pytest.mark.parametrize("error", ["AccessDeniedException", "ServiceException"])
def test_any_other_refusal_is_told_at_once(error: str) -> None:
    with deployed(error) as (stage, handler):
        with pytest.raises(StageError, match="cannot be used"):
            stage.call("SyncFunction", {"verb": "list"})
        assert handler.calls == 1


def test_a_lambda_that_nobody_serves_is_unreachable() -> None:
    with deployed() as (stage, _):
        pass
    with pytest.raises(StageUnreachableError, match=r"the function sync .* cannot be reached"):
        stage.call("SyncFunction", {"verb": "list"})
