"""An AWS on loopback, for the command line: CloudFormation's stacks and Lambda's calls, over HTTP.

S3 is a server of its own (tests/support/s3_server.py). Calls are answered by a function that
the test gives: mostly the sync function itself (lambda_client.py).
"""

from __future__ import annotations

import contextlib
import http.server
import json
import os
import threading
import urllib.parse
from typing import TYPE_CHECKING, Any, Final

from tests.support.s3_server import CREDENTIALS, REGION

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_XMLNS: Final = "http://cloudformation.amazonaws.com/doc/2010-05-15/"
_STACK: Final = """\
<DescribeStacksResponse xmlns="{xmlns}"><DescribeStacksResult><Stacks><member>
<StackName>{name}</StackName><CreationTime>2026-01-01T00:00:00Z</CreationTime>
<StackStatus>CREATE_COMPLETE</StackStatus>{outputs}
</member></Stacks></DescribeStacksResult></DescribeStacksResponse>"""
_OUTPUT: Final = (
    "<member><OutputKey>{0}</OutputKey><OutputValue>{1}</OutputValue></member>"  # as AWS spells it
)
_ERROR: Final = """\
<ErrorResponse xmlns="{xmlns}"><Error><Type>Sender</Type><Code>{code}</Code>
<Message>{message}</Message></Error></ErrorResponse>"""


class Cloud:
    """Fake AWS: `stacks` with their outputs, and `answer`, which answers calls of functions."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.stacks: dict[str, dict[str, str]] = {}
        self.answer: Callable[[str, dict[str, Any]], dict[str, Any]] | None = None
        self.described: list[str] = []
        self.refusal: str | None = None

    def environment(self, s3_port: int | None = None) -> dict[str, str]:
        """Settings by which AWS's SDK finds it, and asks no other machine for anything."""
        url = f"http://127.0.0.1:{self.port}"
        s3 = {"AWS_ENDPOINT_URL_S3": f"http://127.0.0.1:{s3_port}"} if s3_port else {}
        return {
            **CREDENTIALS,
            **s3,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ENDPOINT_URL": url,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        }

    def describe(self, name: str) -> tuple[int, str]:
        """Answer CloudFormation's DescribeStacks."""
        self.described.append(name)
        if self.refusal == "<html>":
            return 200, "<html>\nhello\n</html>"
        if self.refusal:
            return 403, _ERROR.format(xmlns=_XMLNS, code=self.refusal, message="not\nyou")
        if name not in self.stacks:
            message = f"Stack with id {name} does not exist"
            return 400, _ERROR.format(xmlns=_XMLNS, code="ValidationError", message=message)
        outputs = "".join(_OUTPUT.format(*each) for each in self.stacks[name].items())
        outputs = f"<Outputs>{outputs}</Outputs>" if outputs else ""
        return 200, _STACK.format(xmlns=_XMLNS, name=name, outputs=outputs)


@contextlib.contextmanager
def cloud() -> Iterator[Cloud]:
    """Serve one until the end."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            _, _, called = self.path.partition("/functions/")
            if called:
                assert made.answer, "nobody answers calls"
                answer = made.answer(called.partition("/")[0], json.loads(body))
                self._send(200, answer["Payload"].read(), answer.get("FunctionError"))
            else:
                asked = urllib.parse.parse_qs(body)
                status, text = made.describe(asked["StackName"][0])
                self._send(status, text.encode())

        def _send(self, status: int, data: bytes, function_error: str | None = None) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            if function_error:
                self.send_header("X-Amz-Function-Error", function_error)
            with contextlib.suppress(ConnectionError):  # who asked may be gone
                self.end_headers()
                self.wfile.write(data)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        made = Cloud(server.server_port)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        try:
            yield made
        finally:
            server.shutdown()
