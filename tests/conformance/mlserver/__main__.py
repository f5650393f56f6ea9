"""Runs the protocol's suite against MLServer: starts it, asks, ends it.

    python -m tests.conformance.mlserver .cache/mlserver/bin/mlserver

What fails there, and only that, is explained in docs/conformance.md: the exit code is 1 where the
two differ.
"""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

from tests.conformance.mlserver.models import PORTS, write_models
from tests.support.places import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

SUITE = ROOT / "tests" / "conformance" / "protocol"
EXPLAINED = ROOT / "docs" / "conformance.md"
HEADING = "## What MLServer answers otherwise"
EXTENSIONS = ("model_repository", "compression")
"""What MLServer serves, and does not list in `/v2`."""

READY_S = 120
END_S = 20


def free_ports(count: int) -> tuple[int, ...]:
    """Ports of loopback that nothing listens on."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return tuple(each.getsockname()[1] for each in sockets)
    finally:
        for each in sockets:
            each.close()


@contextmanager
def running(program: Path, folder: Path) -> Iterator[str]:
    """Start MLServer in a new folder and wait until it is ready; it is ended in any case."""
    ports = free_ports(len(PORTS))
    write_models(folder, ports)
    log = folder.with_suffix(".log")
    with (
        log.open("wb") as output,
        subprocess.Popen(
            [program.absolute(), "start", "."], cwd=folder, stdout=output, stderr=output
        ) as process,
    ):
        try:
            url = f"http://127.0.0.1:{ports[0]}"
            _wait_until_ready(url, process, log)
            yield url
        finally:
            process.terminate()
            try:
                process.wait(END_S)
            except subprocess.TimeoutExpired:
                process.kill()


def _wait_until_ready(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + READY_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if httpx.get(f"{url}/v2/health/ready").status_code == httpx.codes.OK:
                return
        except httpx.TransportError:
            pass  # not yet
        time.sleep(0.1)
    raise RuntimeError(f"MLServer is not ready:\n{log.read_text()[-4000:]}")


def explained() -> set[str]:
    """The requirements that docs/conformance.md says MLServer does not meet."""
    section = EXPLAINED.read_text().partition(HEADING)[2].partition("\n## ")[0]
    rows = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    return {name for row in rows for name in re.findall(r"`([^`]+)`", row)}


def main(program: Path) -> int:
    """Run it; 0 where what fails is what is explained."""
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(temporary)
        description, results = place / "server.toml", place / "results.json"
        description.write_text(f"extensions = {json.dumps(EXTENSIONS)}\n")
        with running(program, place / "models") as url:
            options = ["--base-url", url, "--describe", str(description), "--results", str(results)]
            quiet = ["-q", "--tb=no", "--no-header", "-rN"]
            command = [sys.executable, "-m", "pytest", "-c", str(SUITE / "pytest.ini"), str(SUITE)]
            subprocess.run([*command, *quiet, *options], cwd=ROOT, check=False)
        found = json.loads(results.read_text())["requirements"]
    failed = {each["id"] for each in found if each["outcome"] == "failed"}
    for what, names in (
        ("fails, and is not explained", failed - explained()),
        ("is explained, and does not fail", explained() - failed),
    ):
        for name in sorted(names):
            sys.stdout.write(f"{name} {what} in {EXPLAINED.relative_to(ROOT)}\n")
    return int(failed != explained())


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
