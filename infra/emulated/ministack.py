"""Run MiniStack, an emulator of AWS, on a free loopback port, and end all its processes.

MiniStack writes only into the given folder: state, temporary files, log. It and its functions,
which inherit its environment, have no credentials, no home and no variable of this process but
PATH.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import socket
import time
import uuid
from typing import TYPE_CHECKING, Final

from infra.bundling.function_code import REPOSITORY
from infra.emulated.cloud import Cloud
from infra.emulated.supervised import last_words, supervised
from infra.errors import EmulatorError

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator
    from pathlib import Path

MINISTACK: Final = REPOSITORY / ".cache" / "ministack" / "bin" / "python"
"""Interpreter of MiniStack's own environment: MiniStack pins botocore."""
START_S: Final = 30.0

_HOW: Final = (
    "python3 -m venv .cache/ministack && "
    ".cache/ministack/bin/pip install --require-hashes -r requirements/ministack.txt"
)
_STARTS: Final = 3
_POLL_S: Final = 0.05


@contextlib.contextmanager
def ministack(
    folder: Path, *, interpreter: Path = MINISTACK, start_s: float = START_S
) -> Iterator[Cloud]:
    """Run MiniStack in a folder, and yield its address when it answers; raises EmulatorError."""
    if not interpreter.is_file():
        raise EmulatorError(f"MiniStack is not installed, {interpreter} is missing: {_HOW}")
    for attempt in range(_STARTS):  # another process may take the free port before MiniStack does
        data = folder / str(attempt)
        (data / "tmp").mkdir(parents=True)
        cloud, token = Cloud(port=_free_port(), log=data / "ministack.log"), uuid.uuid4().hex
        command = (interpreter, "-m", "ministack")
        environ = _environ(data, cloud, token)
        with supervised(command, log=cloud.log, cwd=data, environ=environ) as supervisor:
            if _is_ready(supervisor, cloud.port, token, start_s):
                yield cloud
                return
            said = last_words(cloud.log)
            if supervisor.poll() is None:
                raise EmulatorError(f"MiniStack did not answer within {start_s:g} s: {said}")
        if b"already in use" not in cloud.log.read_bytes():
            break
    raise EmulatorError(f"MiniStack ended with exit code {supervisor.returncode}: {said}")


def _environ(data: Path, cloud: Cloud, token: str) -> dict[str, str]:
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(data),
        "TMPDIR": str(data / "tmp"),
        "STATE_DIR": str(data / "state"),
        "S3_DATA_DIR": str(data / "s3"),
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(cloud.port),
        "LAMBDA_EXECUTOR": "local",
        # Signatures are verified, and functions may do what their roles and policies allow.
        "AUTH": "true",
        # MiniStack passes this on to its functions.
        "AWS_ENDPOINT_URL": cloud.endpoint,
        # Without this, MiniStack removes containers that look like its own from any Docker.
        "DOCKER_HOST": f"unix://{data}/no-docker",
        # These two services listen on every address, whatever BIND_HOST says.
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        # Part of its health answer: tells this MiniStack from another one on the same port.
        "MINISTACK_VERSION": token,
    }


def _is_ready(supervisor: subprocess.Popen[bytes], port: int, token: str, start_s: float) -> bool:
    deadline = time.monotonic() + start_s
    while supervisor.poll() is None and time.monotonic() < deadline:
        if _version(port) == token:
            return True
        time.sleep(_POLL_S)
    return False


def _version(port: int) -> str | None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)  # ignores proxy settings
    try:
        connection.request("GET", "/_ministack/health")
        return str(json.load(connection.getresponse())["version"])
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError):
        return None
    finally:
        connection.close()


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
