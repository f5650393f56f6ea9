"""Try a variant of a version in a fresh process: load it, run its golden cases, measure both.

`try_version` runs this module in a separate process (child_process.py). If the model crashes or
uses up the memory, only that process ends, and no warm state improves the measurements. The process
loads the version with the code that will serve it. It imports from the version's package set in the
store, which it cannot write to, and also from the publisher's environment. A developer's machine
has more packages than a function, so a trial there does not prove that the package set is complete.
A trial in the sync function does.

The plain variant's outputs are saved, and those of every other variant are compared with them:
floats within the golden tolerance, all other values exactly (trial_outputs.py).
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from model_store.layout import MANIFEST, StoreLayout
from model_store.recorded_imports import parse_recorded
from model_store.variant import PLAIN, Measurement, Variant
from model_store.version import VersionManifest
from model_sync.child_process import last_line, run_module
from model_sync.errors import FULL, SpaceError, TrialError
from model_sync.store_io.disk_space import naming
from model_sync.time_limit import NO_LIMIT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from inference.loading.loaded_version import LoadedVersion, Tensors
    from model_store.chunks import ChunkRanges
    from model_store.recorded_imports import RecordedFile
    from model_sync.time_limit import TimeLimit

DEADLINE_S: Final = 600
"""Time limit of a trial: a model that is slower to load and run its golden cases is unusable."""

_NO_ROOM: Final = 96
"""Exit code of a trial that could not write its result; Python itself does not use it."""

_MAX_RUNS: Final = 30
_RUNS_S: Final = 0.5
_STEADY_RUNS: Final = 15
"""Warm runs end after `_MAX_RUNS` runs, `_RUNS_S` seconds, or `_STEADY_RUNS` runs in a row that are
not at least 1% faster. The fastest run counts, because it was disturbed least."""


class TrialResult(NamedTuple):
    """A trial's measurement, and the chunks of larger files that it touched, by path.

    `imports`: the parts of the version's package set that imports touched; of plain only.
    """

    measurement: Measurement
    recorded: Mapping[str, ChunkRanges]
    imports: tuple[RecordedFile, ...]


def try_version(
    folder: Path,
    result: Path,
    *,
    layout: StoreLayout,
    variant: Variant | None = None,
    prepared: Path | None = None,
    time_limit: TimeLimit = NO_LIMIT,
) -> TrialResult:
    """Load a version's folder in a fresh process, run its golden cases, and measure.

    The process writes its result to the file `result`. The plain variant's outputs are saved beside
    it, and later trials with a result in the same folder are compared with them. `variant` (None:
    plain) is in the folder `prepared`. `layout` is the store with the version's package set.

    Raises TrialError with the reason; SpaceError if the result does not fit; OutOfTimeError if the
    remaining time does not suffice.
    """
    files = variant.to_json() if variant else None
    places = (
        folder.resolve(),
        result.resolve(),
        layout.root.resolve(),
        (prepared or folder).resolve(),
    )
    done = run_module(
        __spec__.name,
        [*map(str, places), json.dumps(files)],
        layout=layout,
        what="the trial of the model",
        deadline_s=DEADLINE_S,
        time_limit=time_limit,
    )
    if done.returncode == _NO_ROOM:
        raise SpaceError(f"no room left while writing {result}: make room, and try again")
    try:
        result_fields = json.loads(result.read_text("utf-8"))
    except (OSError, ValueError):
        raise TrialError(f"the trial of the model ended early: {last_line(done)}") from None
    if "error" in result_fields:
        raise TrialError(result_fields["error"])
    recorded = {
        path: tuple((first, count) for first, count in ranges)
        for path, ranges in result_fields.pop("recorded").items()
    }
    imports = parse_recorded(result_fields.pop("imports"), str(result))
    return TrialResult(Measurement(**result_fields), recorded, imports)


def main(arguments: list[str]) -> None:
    """Run in the separate process: try the version, and write the result as JSON."""
    folder, result, root, prepared = map(Path, arguments[:4])
    files = json.loads(arguments[4])
    variant = Variant.from_json(files, "the variant") if files else None
    try:
        result_fields = _try(folder, StoreLayout(root), variant, prepared, result.parent)
    except Exception as error:
        if isinstance(error, OSError) and error.errno in FULL:
            sys.exit(_NO_ROOM)
        result_fields = {"error": str(error) or type(error).__name__}
    try:
        with naming(str(result)):
            result.write_text(json.dumps(result_fields), "utf-8")
    except OSError as error:
        if error.errno in FULL:
            sys.exit(_NO_ROOM)
        raise


def _try(
    folder: Path, layout: StoreLayout, variant: Variant | None, prepared: Path, results: Path
) -> dict[str, Any]:
    # Import before measuring: the imports cost every version the same.
    from inference.loading.golden_cases import run_golden_case  # noqa: PLC0415
    from inference.loading.loader import load_folder  # noqa: PLC0415
    from inference.loading.prefetch import begin_prefetch  # noqa: PLC0415
    from inference.loading.variant_files import files_of_variant  # noqa: PLC0415
    from inference.process.memory import forget_peak, split_bytes  # noqa: PLC0415
    from inference.settings import Verify  # noqa: PLC0415
    from model_sync.preparation.read_only_folder import make_read_only  # noqa: PLC0415
    from model_sync.preparation.touched_chunks import record_chunks  # noqa: PLC0415
    from model_sync.preparation.touched_imports import ImportRecorder  # noqa: PLC0415
    from model_sync.preparation.trial_inputs import trial_inputs  # noqa: PLC0415
    from model_sync.preparation.trial_outputs import compare_with_plain, has_plain, save_plain  # noqa: PLC0415

    path = folder / MANIFEST
    manifest = VersionManifest.parse(path.read_bytes(), str(path))
    content = manifest.content
    variant_to_try = variant or Variant(PLAIN, content.model_file, {}, None)
    files = files_of_variant(variant_to_try, folder, prepared, content)
    is_plain = variant_to_try.name == PLAIN
    before = split_bytes()
    prefetch = begin_prefetch(files, Verify.ALL)
    prefetch.wait()  # so that reads do not disturb the measurements
    forget_peak()
    recorder = None
    if content.packages:
        make_read_only(layout.package_set(content.packages))
        if is_plain:  # all variants import the same
            recorder = ImportRecorder(layout, content.packages)
    loaded = load_folder(folder, manifest, 0, layout=layout, variant_files=files, prefetch=prefetch)
    first_ms = 0.0
    for number, case in enumerate(content.golden.cases):
        started = time.perf_counter()
        run_golden_case(loaded, folder, content, case)
        if number == 0:
            first_ms = (time.perf_counter() - started) * 1e3
    warm_ms = 0.0
    for number, tensors in enumerate(trial_inputs(loaded, folder, content)):
        try:
            outputs, took_ms = _timed(loaded, tensors)
        except Exception as error:
            if content.golden.cases:
                raise
            if not is_plain and has_plain(results):
                raise TrialError("it refuses inputs that the plain variant accepts") from error
            break  # the model refuses inputs that were generated from its signature
        first_ms = first_ms or took_ms
        if is_plain:
            save_plain(results, number, outputs)
        else:
            compare_with_plain(results, number, outputs, content.golden)
        warm_ms = max(warm_ms, _fastest_ms(loaded, tensors))
    after = split_bytes()
    resident_bytes = max(after.resident_bytes - before.resident_bytes, 0)
    return {
        "load_ms": round(loaded.phases_ms["session"], 3),
        "first_ms": round(first_ms, 3),
        "warm_ms": round(warm_ms, 4),
        "peak_bytes": max(after.peak_bytes - before.resident_bytes, resident_bytes),
        "resident_bytes": resident_bytes,
        "mapped_bytes": min(max(after.mapped_bytes - before.mapped_bytes, 0), resident_bytes),
        # Golden cases touch what calls touch; generated inputs do not (rows of a table, say).
        "recorded": record_chunks(files) if content.golden.cases else {},
        "imports": [each.to_json() for each in recorder.recorded()] if recorder else [],
    }


def _timed(loaded: LoadedVersion, tensors: Tensors) -> tuple[dict[str, Any], float]:
    started = time.perf_counter()
    outputs = loaded.run(tensors)
    return outputs, (time.perf_counter() - started) * 1e3


def _fastest_ms(loaded: LoadedVersion, tensors: Tensors) -> float:
    until = time.perf_counter() + _RUNS_S
    fastest, steady = _timed(loaded, tensors)[1], 0
    for _ in range(_MAX_RUNS):
        if time.perf_counter() > until or steady == _STEADY_RUNS:
            break
        took_ms = _timed(loaded, tensors)[1]
        steady = 0 if took_ms < fastest * 0.99 else steady + 1
        fastest = min(fastest, took_ms)
    return fastest


if __name__ == "__main__":
    main(sys.argv[1:])
