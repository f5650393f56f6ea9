"""Handler whose calls and loads each take a given amount of CPU time.

Both compute hashes, as a load that checks digests does, and release the GIL, as a model run does.
"""

import hashlib
import os
import time
from typing import Any

from inference.lambda_runtime.extension import extended
from inference.process.background import Background

BLOCK = bytes(1 << 18)

background = Background()
version = 1


def use_processor(seconds: float) -> None:
    """Use this many seconds of CPU time, however long that takes."""
    until = time.thread_time() + seconds
    while time.thread_time() < until:
        hashlib.sha256(BLOCK)


def load(seconds: float) -> None:
    """Load the next version."""
    global version  # noqa: PLW0603 - one environment's state
    use_processor(seconds)
    version += 1


def answer(event: Any, context: Any) -> dict[str, int]:
    """Answer with the current version; begin a load if the event asks for one."""
    if "load_s" in event:
        background.start(lambda: load(event["load_s"]), "load")
    use_processor(event.get("call_s", 0))
    return {"version": version}


handler = extended(answer, background, os.environ)
