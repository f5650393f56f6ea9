"""Process of the file system: `python -m bench.efs_stand_in.daemon SOURCE MOUNTPOINT SOCKET`.

The process mounts the folder, and serves the mount and its control socket from one thread until the
folder is unmounted or the process is killed. It never accesses its own mount; guard.py unmounts.

The control socket takes one request a line and answers each with one line, both JSON objects.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import socket
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

try:
    import pyfuse3
    import trio
except ImportError as error:
    sys.exit(f"{error}: run make system-packages as root, then make test-slow installs it")

from bench.efs_stand_in import faults, options
from bench.efs_stand_in.operations import Operations
from bench.efs_stand_in.traffic import Traffic
from bench.efs_stand_in.tree import Tree

if TYPE_CHECKING:
    from collections.abc import Callable

_MOST_CALLS: Final = 4096
"""Limit of calls in progress, including calls that hang."""


def _answers(traffic: Traffic) -> dict[str, Callable[[dict[str, Any]], dict[str, Any]]]:
    def reset(_: dict[str, Any]) -> dict[str, Any]:
        traffic.counts.clear()
        traffic.traced.clear()
        traffic.reads.clear()
        return {}

    def heal(_: dict[str, Any]) -> dict[str, Any]:
        traffic.heal()
        return {}

    return {
        "ready": lambda _: {},
        "counts": lambda _: {"counts": dict(traffic.counts)},
        "traced": lambda _: {"traced": traffic.traced},
        "reads": lambda _: {"reads": traffic.reads},
        "reset": reset,
        "fault": lambda request: {"number": traffic.faults.add(faults.from_json(request["fault"]))},
        "hits": lambda request: {"hits": traffic.faults.hits(request["number"])},
        "heal": heal,
    }


async def _control(traffic: Traffic, stream: trio.SocketStream) -> None:
    answers = _answers(traffic)
    pending = b""
    async for part in stream:
        *lines, pending = (pending + part).split(b"\n")
        for line in lines:
            request = json.loads(line)
            try:
                answer = answers[request["do"]](request)
            except (KeyError, TypeError, ValueError) as error:
                answer = {"error": f"{type(error).__name__}: {error}"}
            await stream.send_all(json.dumps(answer).encode() + b"\n")


async def _serve(traffic: Traffic, listening: socket.socket) -> None:
    listener = trio.SocketListener(trio.socket.from_stdlib_socket(listening))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(traffic.pipe.run)
        nursery.start_soon(trio.serve_listeners, partial(_control, traffic), [listener])
        await pyfuse3.main(max_tasks=_MOST_CALLS)
        nursery.cancel_scope.cancel()


def main() -> None:
    """Mount and serve."""
    parser = argparse.ArgumentParser()
    for name in ("source", "mountpoint", "socket"):
        parser.add_argument(name, type=Path)
    options.add_arguments(parser)
    parsed = parser.parse_args()
    chosen = options.from_arguments(parsed)

    os.umask(0)  # the kernel has already applied the caller's umask
    _, most_files = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most_files, most_files))
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(os.fspath(parsed.socket))
    listening.listen(16)
    traffic = Traffic(chosen)
    mount_options = {*pyfuse3.default_options, "fsname=efs-stand-in"}
    if os.geteuid() == 0:  # other users may use this option only if /etc/fuse.conf allows it
        mount_options.add("allow_other")
    operations = Operations(Tree(parsed.source), traffic, chosen)
    pyfuse3.init(operations, os.fspath(parsed.mountpoint), mount_options)
    trio.run(_serve, traffic, listening)


if __name__ == "__main__":
    main()
