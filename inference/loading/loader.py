"""Load one version: check its bytes, activate its packages, open its session, run its pipeline.

A file whose digest differs from the published one fails the load before anything is answered. The
result is a LoadedVersion (loaded_version.py). Which version to load, and when, is decided in
serving/policy.py and serving/version_selector.py.
"""

from __future__ import annotations

import contextlib
import platform
import threading
import time
from concurrent.futures import wait
from typing import TYPE_CHECKING, Any, Final

import onnxruntime

from inference.errors import LoadError, PipelineError
from inference.loading.load_plan import read_load_plan, start_reads
from inference.loading.loaded_version import LoadedVersion, Replacement
from inference.loading.memory_need import Need, need_of
from inference.loading.prefetch import begin_prefetch
from inference.loading.session_threads import environment_threads
from inference.loading.variant_files import files_of_plain
from inference.pipeline import Pipeline, load_pipeline
from inference.process.daemon_thread import in_thread
from inference.process.memory import give_back
from inference.settings import Verify
from model_store.errors import NotFoundError, StoreError, StoreUnreachableError
from model_store.files import read_checked
from model_store.preparation import runtime_key
from model_store.reading import read_store_id
from model_store.variant import PLAIN

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from concurrent.futures import Future
    from contextlib import AbstractContextManager
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from inference.loading.load_plan import LoadPlan, StartedReads
    from inference.loading.prefetch import Prefetch
    from inference.loading.variant_files import VariantFiles
    from model_store.layout import StoreLayout
    from model_store.refs import VersionEntry
    from model_store.signature import Signature
    from model_store.version import VersionManifest

    Tensors = Mapping[str, NDArray[np.generic]]
    Observe = Callable[[Tensors, Tensors], None]

RUNTIME: Final = runtime_key(onnxruntime.__version__, platform.machine())
"""The runtime of this process, as preparations are keyed by it."""

_QUIET: Final = 3
"""ONNX Runtime's log severity "error". Its warnings are for authors of models."""

_SPINNING: Final = "session.intra_op.allow_spinning"
"""Threads that spin while they wait for work take processor time from the computation."""

_package_set_used: Final = threading.Event()


def load_version(
    layout: StoreLayout,
    model: str,
    number: int,
    entry: VersionEntry,
    make_room: Callable[[Need], None] | None = None,
    *,
    verify: Verify = Verify.CHUNKS,
    take_reads: Callable[[VersionEntry, str], StartedReads | None] = lambda _entry, _runtime: None,
    accepts_replacement: Callable[[Need], bool] | None = None,
) -> LoadedVersion:
    """Load a published version: the variant prepared for this runtime, else the plain variant.

    Reads the files that the version needs before it can answer, and checks them as `verify` says.
    Before that, `make_room` is called with the memory need of the variant, and may raise.

    `take_reads` returns the started reads of a version for a runtime; None if there are none.

    With `accepts_replacement` the loaded variant is final and never replaced: it is the load plan's
    replacement if `accepts_replacement` returns True for its need, else the load plan's variant.

    Raises LoadError if the published version is at fault, StoreUnreachableError if the store is,
    and whatever `make_room` raises.
    """
    started = time.perf_counter()
    try:
        # Started reads are of the load plan's variant, which may not be the final one.
        reads = None if accepts_replacement else take_reads(entry, RUNTIME)
        plan = reads.plan if reads else read_load_plan(layout, model, entry, RUNTIME)
        if accepts_replacement:
            plan = _without_replacement(plan, entry, accepts_replacement)
        need = need_of(plan.variant, entry.size_bytes)
        read_ms = (time.perf_counter() - started) * 1e3
        with reads or contextlib.nullcontext():
            if make_room:
                make_room(need)
        reads = reads or start_reads(layout, plan, verify)
        with reads:
            loaded = load_folder(
                plan.folder,
                plan.manifest,
                number,
                layout=layout,
                variant_files=plan.variant_files,
                prefetch=reads.prefetch,
            )
            reads.end_imports()
    except StoreUnreachableError:
        raise
    except PipelineError as error:
        raise LoadError(f"version {number} of {model!r}: {error}") from error
    except StoreError as error:
        read_store_id(layout)  # raises if the whole store is gone: not the version's fault
        if isinstance(error, NotFoundError):
            raise LoadError(f"version {number} of {model!r} is incomplete: {error}") from error
        raise LoadError(f"version {number} of {model!r} cannot be loaded: {error}") from error
    replacement = None
    if plan.replacement:
        variant, variant_files = plan.replacement
        replacement_need = need_of(variant, entry.size_bytes)
        replacement = Replacement(variant.name, variant_files, replacement_need, verify)
    return loaded._replace(
        need=need,
        phases_ms={"manifests": read_ms, **loaded.phases_ms},
        variant=plan.variant.name if plan.variant else PLAIN,
        fallback=plan.fallback(RUNTIME),
        replacement=replacement,
    )


def _without_replacement(
    plan: LoadPlan, entry: VersionEntry, accepts_replacement: Callable[[Need], bool]
) -> LoadPlan:
    if plan.replacement is None:
        return plan
    variant, variant_files = plan.replacement
    if accepts_replacement(need_of(variant, entry.size_bytes)):
        plan = plan._replace(variant=variant, variant_files=variant_files)
    return plan._replace(replacement=None)


def load_folder(
    folder: Path,
    manifest: VersionManifest,
    number: int,
    *,
    layout: StoreLayout,
    variant_files: VariantFiles | None = None,
    prefetch: Prefetch | None = None,
) -> LoadedVersion:
    """Load a version from its folder, which may still be in staging.

    `variant_files` is the variant to load; None is plain. `prefetch` reads and checks that variant;
    None starts one here. `layout` is of the store that holds the version's package set, if it pins
    one. Raises LoadError, PipelineError, DamagedError, and NotFoundError if the package set is
    missing.
    """
    content, signature = manifest.content, manifest.signature
    phases = Phases()
    variant_files = variant_files or files_of_plain(folder, content, {})
    prefetch = prefetch or begin_prefetch(variant_files)
    with prefetch, _active_packages(layout, manifest, number) as why_plain:
        loading = _begin_pipeline(folder, manifest, prefetch)
        try:
            session = open_variant(variant_files, prefetch, phases)
            nested = check_session(session, signature, content.model_file)
        finally:
            wait(loading)  # the pipeline may be importing from the package set
        pipeline = loading[0].result() if loading else None
        plain_imports = why_plain() if why_plain else None
        phases.end("pipeline")
    return LoadedVersion(
        model=manifest.model,
        number=number,
        digest=str(content.digest),
        signature=signature,
        session=session,
        pipeline=pipeline,
        folder=folder,
        content=content,
        need=need_of(None, sum(entry.size_bytes for entry in content.files)),
        maps_files=variant_files.maps_files,
        has_bfloat16=_has_bfloat16(signature),
        nested=nested,
        unread=prefetch.rest,
        phases_ms=phases.ms,
        plain_imports=plain_imports,
    )


class Phases:
    """Durations of a load's steps, in milliseconds, by name."""

    def __init__(self) -> None:
        self.ms: dict[str, float] = {}
        self._since = time.perf_counter()

    def end(self, name: str) -> None:
        """Record the duration of the step that has just ended."""
        now = time.perf_counter()
        self.ms[name] = (now - self._since) * 1e3
        self._since = now


def open_variant(variant_files: VariantFiles, prefetch: Prefetch, phases: Phases) -> Any:
    """Open a session, and return it once every byte that the variant needs was checked."""
    if not variant_files.optimized:
        # ONNX Runtime optimizes such a graph while opening it, which computes with the weights.
        prefetch.wait()
        phases.end("bytes")
        session = _open_session(variant_files)
        phases.end("session")
        return session
    prefetch.wait_for_graph()
    phases.end("graph")
    try:
        session = _open_session(variant_files)
    except LoadError:
        prefetch.wait()  # raises DamagedError if damaged bytes are the cause
        raise
    phases.end("session")
    prefetch.wait()
    phases.end("bytes")
    return session


def has_used_package_sets() -> bool:
    """Return True if any load in this process, also a failed one, has used a package set."""
    return _package_set_used.is_set()


def _active_packages(
    layout: StoreLayout, manifest: VersionManifest, number: int
) -> AbstractContextManager[Callable[[], str | None] | None]:
    digest = manifest.content.packages
    if digest is None:
        return contextlib.nullcontext()
    # Imported here: most versions pin no set, and a cold start must import little.
    from inference.package_sets.active_sets import use_package_set  # noqa: PLC0415

    _package_set_used.set()
    return use_package_set(layout, digest, f"version {number} of {manifest.model!r}")


def _begin_pipeline(
    folder: Path, manifest: VersionManifest, prefetch: Prefetch
) -> list[Future[Pipeline]]:
    """Start loading the pipeline, if there is one, while the session opens.

    ONNX Runtime releases Python's interpreter lock while it works.
    """
    path = manifest.content.pipeline_file
    if path is None:
        return []

    def load() -> Pipeline:
        prefetch.wait_for_folder(folder)  # the pipeline may read data files while it loads
        return _load_pipeline(folder, manifest, path)

    return [in_thread(load, "coldpress-pipeline")]


def _load_pipeline(folder: Path, manifest: VersionManifest, path: str) -> Pipeline:
    code = read_checked(folder, manifest.content.file(path))
    name = f"coldpress_pipeline_{manifest.id.replace('-', '_')}"
    return load_pipeline(code, folder / path, name)


def _open_session(variant_files: VariantFiles) -> Any:
    graph = variant_files.folder / variant_files.graph
    options = onnxruntime.SessionOptions()
    options.log_severity_level = _QUIET
    # ONNX Runtime pins threads to processors only if it chooses their number itself.
    options.intra_op_num_threads = environment_threads()
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    # A pool keeps the most memory that any call took. A memory pattern is kept for each input
    # shape, together with its memory if there is no pool (docs/adr/0004-memory-that-falls.md).
    options.enable_cpu_mem_arena = False
    options.enable_mem_pattern = False
    if variant_files.optimized:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    for key, value in {_SPINNING: "0", **variant_files.config}.items():
        options.add_session_config_entry(key, value)
    try:
        return onnxruntime.InferenceSession(
            str(graph), sess_options=options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:
        reason = str(error).splitlines()[0].replace(str(graph), graph.name)
        raise LoadError(f"ONNX Runtime cannot load {graph.name}: {reason}") from error
    finally:
        give_back()  # temporary memory of the load: up to twice the size of the graph's file


def check_session(session: Any, signature: Signature, file: str) -> dict[str, str]:
    """Check that a session has the signature's inputs and outputs.

    Returns the types of the outputs that are not tensors, by name. `file` is the graph's path, for
    messages. Raises LoadError.
    """
    outputs = session.get_outputs()
    nested = {node.name: node.type for node in outputs if node.type.startswith(("seq(", "map("))}
    input_names = [node.name for node in session.get_inputs()]
    output_names = [node.name for node in outputs]
    if nested:
        from inference.protocol.sequences import names_of  # noqa: PLC0415 - few models have sequences

        output_names = [name for node in outputs for name in names_of(node.name, node.type)]
    if _has_bfloat16(signature) and (nested or _has_strings(signature)):
        raise LoadError(
            f"{file}: it has BF16 beside strings or sequences, which cannot be served together: "
            "cast the one or leave out the other in the graph"
        )
    for side, specs, names in (
        ("inputs", signature.inputs, input_names),
        ("outputs", signature.outputs, output_names),
    ):
        if [spec.name for spec in specs] != names:
            raise LoadError(f"{file}: its {side} are not the signature's")
    return nested


def _has_strings(signature: Signature) -> bool:
    """Return True if an input is of strings.

    ONNX Runtime takes strings from NumPy only (protocol/bfloat16.py).
    """
    return any(spec.datatype == "BYTES" for spec in signature.inputs)


def _has_bfloat16(signature: Signature) -> bool:
    return any(spec.datatype == "BF16" for spec in (*signature.inputs, *signature.outputs))
