"""A simple first handler: a session in a global, with default options, and one call.

    naive.py GRAPH INPUTS.npz THREADS

The event is not parsed: the inputs are arrays on local disk.
"""

import time

marks = {"python": time.monotonic()}

import json
import sys
from pathlib import Path

import numpy as np
import onnxruntime

marks["imports"] = time.monotonic()

graph, inputs, threads = sys.argv[1:]
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = int(threads)
session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
marks["session"] = time.monotonic()

with np.load(inputs) as arrays:
    outputs = session.run(None, dict(arrays))
marks["answer"] = time.monotonic()

status = Path("/proc/self/status").read_text("ascii")
print(
    json.dumps(
        {
            "marks": marks,
            "peak_kib": int(status.split("VmHWM:")[1].split()[0]),
            "values": [float(value) for value in outputs[0].ravel()[:8]],
        }
    )
)
