"""Read given ranges with parallel readers, after importing numpy and ONNX Runtime; load no model.

    floor.py READERS RANGES.json

The ranges are [path, offset, size]; each is read in blocks of 4 MiB. The bytes are discarded.
"""

import time

marks = {"python": time.monotonic()}

import json
import os
import sys
import threading
from pathlib import Path
from queue import Empty, SimpleQueue

import numpy as np  # noqa: F401 - the other workers import it, too
import onnxruntime  # noqa: F401

marks["imports"] = time.monotonic()

BLOCK = 4 << 20
Block = tuple[str, int, int]


def descriptor_of(path: str) -> int:
    """Return a file's descriptor; open each file once, under its lock."""
    with locks[path]:
        if path not in files:
            files[path] = os.open(path, os.O_RDONLY)
    return files[path]


def read(blocks: "SimpleQueue[Block]") -> None:
    """Read blocks until there are none left."""
    buffer = memoryview(bytearray(BLOCK))
    while True:
        try:
            path, offset, size = blocks.get_nowait()
        except Empty:
            return
        file = descriptor_of(path)
        while size:
            got = os.preadv(file, [buffer[:size]], offset)
            offset, size = offset + got, size - got
            if not got:
                return
            sizes.append(got)


queue: "SimpleQueue[Block]" = SimpleQueue()
files: dict[str, int] = {}
locks: dict[str, threading.Lock] = {}
sizes: list[int] = []
for path, start, length in json.loads(Path(sys.argv[2]).read_text("utf-8")):
    locks.setdefault(path, threading.Lock())
    for at in range(start, start + length, BLOCK):
        queue.put((path, at, min(BLOCK, start + length - at)))
threads = [threading.Thread(target=read, args=[queue]) for _ in range(int(sys.argv[1]))]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
marks["answer"] = time.monotonic()
print(json.dumps({"marks": marks, "read_bytes": sum(sizes)}))
