"""The real reader: INIT by importing the handler, then one event. The store is in STORE_PATH.

    ours.py EVENT.json

What the load took is in the line that the handler itself logs about it.
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
    """Keeps what is written to stdout, and when a version was warm."""

    def __init__(self) -> None:
        self.loads: list[tuple[float, dict[str, Any]]] = []

    def write(self, text: str) -> int:
        """Note a line; Powertools writes one at once."""
        if "phases_ms" in text:
            self.loads.append((time.monotonic(), json.loads(text)))
        return len(text)

    def flush(self) -> None:
        """Nothing is held back."""


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
# At once: what is read behind the answer is not the answer's cost.
sys.stdout.flush()
os._exit(0)
