import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from inference.local.fleet.environment import LambdaEnvironment

HANDLER = """
import os, subprocess, sys, threading, time
import ticker

calls = 0
print("the module is loading")

def handler(event, context):
    global calls
    calls += 1
    return globals()[event.get("do", "count")](event, context)

def count(event, context):
    return {"calls": calls, "pid": os.getpid()}

def environment(event, context):
    return dict(os.environ)

def fail(event, context):
    raise ValueError("no such model")

def leave(event, context):
    os._exit(3)

def sleep(event, context):
    open(event["begun"], "w").close()
    time.sleep(event["seconds"])
    return count(event, context)

def hold(event, context):
    open(event["begun"], "w").close()
    while not os.path.exists(event["go"]):
        time.sleep(0.002)
    return count(event, context)

def echo(event, context):
    return event["answer"]

def fill(event, context):
    return len(b"x" * (event["megabytes"] << 20))

def text(event, context):
    return "x" * event["characters"]

def detach(event, context):
    return subprocess.Popen(["sleep", "600"], start_new_session=True).pid

def tick(event, context):
    threading.Thread(target=ticker.tick, args=event["files"][:1], daemon=True).start()
    subprocess.Popen([sys.executable, "ticker.py", event["files"][1]])
    while not all(map(os.path.exists, event["files"])):
        time.sleep(0.001)
"""

TICKER = """
import mmap, os, sys, time

def tick(path):
    with open(path + ".part", "w+b") as file:
        file.truncate(8)
        ticks = mmap.mmap(file.fileno(), 8)
    os.rename(path + ".part", path)
    count = 0
    while True:
        count += 1
        ticks[:] = count.to_bytes(8, "little")
        time.sleep(0.0005)

if __name__ == "__main__":
    tick(sys.argv[1])
"""


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., LambdaEnvironment]]:
    """Make environments of HANDLER, which are stopped after the test."""
    task = tmp_path / "task"
    task.mkdir()
    (task / "app.py").write_text(HANDLER)
    (task / "ticker.py").write_text(TICKER)
    with contextlib.ExitStack() as stack:

        def make(handler: str = "app.handler", **options: Any) -> LambdaEnvironment:
            environment = LambdaEnvironment(handler, cwd=task, **options)
            stack.callback(environment.stop)
            return environment

        yield make
