"""The real handler: INIT by importing it, then one event. STORE_PATH names the store.

    ours.py EVENT.json

The load's duration comes from the line that the handler logs about it.
"""

import time

marks = {"python": time.monotonic()}

import base64
import json
import os
import struct
import sys
from pathlib import Path
from typing import Any


class Log:
    """Stand-in for stdout that keeps the log lines of loads, with their times."""

    def __init__(self) -> None:
        self.loads: list[tuple[float, dict[str, Any]]] = []

    def write(self, text: str) -> int:
        """Keep a line about a load. Powertools writes each line with one call."""
        if "phases_ms" in text:
            self.loads.append((time.monotonic(), json.loads(text)))
        return len(text)

    def flush(self) -> None:
        """Do nothing: nothing is buffered."""


stdout, log = sys.stdout, Log()
sys.stdout = log
event = json.loads(Path(sys.argv[1]).read_text("utf-8"))

from inference.predict_function import handler

marks["init"] = time.monotonic()
answer = handler(event, None)
marks["answer"] = time.monotonic()

sys.stdout = stdout
if answer["statusCode"] != 200:
    sys.exit(f"the handler answered {answer}")
body = base64.b64decode(answer["body"])
headers = {name.lower(): value for name, value in answer["headers"].items()}
tail = body[int(headers["inference-header-content-length"]) :]
marks["session"], load = log.loads[0]
marks["imports"] = marks["session"] - load["load_ms"] / 1e3
status = Path("/proc/self/status").read_text("ascii")
print(
    json.dumps(
        {
            "marks": marks,
            "load_ms": load["load_ms"],
            "phases_ms": load["phases_ms"],
            "peak_kib": int(status.split("VmHWM:")[1].split()[0]),
            "values": struct.unpack("<8f", tail[:32]),
        }
    )
)
# Exit immediately: reads after the answer are not part of its cost.
sys.stdout.flush()
os._exit(0)
