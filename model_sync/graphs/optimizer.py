"""Optimize graphs with ONNX Runtime and write the results, in a separate process.

At the extended level, the optimized graph computes correct results on every processor. The highest
level lays out the weights of convolutions for one processor's registers, and computes wrong results
on others without an error (blocked_layout.py). Each graph's weights go into one file beside it, in
the order in which nodes use them (weights_order.py), aligned so that they can be mapped.

Source: ONNX Runtime's "Graph Optimizations", and `onnxruntime_session_options_config_keys.h`.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from model_sync.child_process import last_line, run_module
from model_sync.errors import TrialError
from model_sync.time_limit import NO_LIMIT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from model_store.layout import StoreLayout
    from model_sync.time_limit import TimeLimit

GRAPH: Final = "model.onnx"
WEIGHTS: Final = "weights.bin"

EXTENDED: Final = "ORT_ENABLE_EXTENDED"
HIGHEST: Final = "ORT_ENABLE_ALL"

_DEADLINE_S: Final = 600
_MIN_EXTERNAL_BYTES: Final = 1024
"""Smaller tensors, such as shapes, stay in the graph, which is read when it is opened."""


def optimize(
    graphs: Mapping[Path, Path],
    level: str,
    *,
    layout: StoreLayout,
    time_limit: TimeLimit = NO_LIMIT,
) -> None:
    """Optimize each graph and write it with its weights: `graphs` maps graph files to folders.

    Raises TrialError; OutOfTimeError if the remaining time does not suffice.
    """
    places = [str(path.resolve()) for pair in graphs.items() for path in pair]
    done = run_module(
        __spec__.name,
        [level, *places],
        layout=layout,
        what="optimizing the graph",
        deadline_s=_DEADLINE_S,
        time_limit=time_limit,
    )
    if done.returncode:
        raise TrialError(f"the graph cannot be optimized: {last_line(done)}")


def main(arguments: list[str]) -> None:
    """Run in the separate process."""
    level, *places = arguments
    try:
        for graph, folder in zip(places[::2], places[1::2], strict=True):
            _optimize(graph, Path(folder), level)
    except Exception as error:
        sys.exit(str(error).splitlines()[0])


def _optimize(graph: str, folder: Path, level: str) -> None:
    import onnxruntime  # noqa: PLC0415 - not in the publisher's process

    from model_sync.graphs.weights_order import order_weights  # noqa: PLC0415 - it imports onnx

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.graph_optimization_level = getattr(onnxruntime.GraphOptimizationLevel, level)
    options.optimized_model_filepath = str(folder / GRAPH)
    for key, value in {
        "session.optimized_model_external_initializers_file_name": WEIGHTS,
        "session.optimized_model_external_initializers_min_size_in_bytes": _MIN_EXTERNAL_BYTES,
        "session.disable_prepacking": 1,
    }.items():
        options.add_session_config_entry(key, str(value))
    onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    order_weights(folder / GRAPH, WEIGHTS)


if __name__ == "__main__":
    main(sys.argv[1:])
