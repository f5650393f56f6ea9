"""Loads one version: checks its bytes, finds its packages, opens its session, runs its pipeline.

Digests are checked on the way: a file that differs from what was published fails the load before
anything is answered. What is returned is in loaded_version.py; which version to load, and when, is decided
elsewhere (serving/policy.py, serving/manager.py).
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
"""The runtime that this process is, as preparations are keyed by it."""

_QUIET: Final = 3
"""ONNX Runtime's log severity "error": its warnings are for whoever makes a model."""

_SPINNING: Final = "session.intra_op.allow_spinning"
"""Threads that wait for work by spinning burn the processor time that computing needs."""

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
    """Load a published version in the form prepared for this runtime, else in the plain form.

    Reads what the version needs before it answers, and checks it as `verify` says; before that,
    `make_room` is told what it takes of memory, and may raise. Raises LoadError where what was
    published is at fault, StoreUnreachableError where the store is, and what `make_room` raises.
    `take_reads` gives what was begun for a version and a runtime already, if anything was. With
    `accepts_replacement` the version stays in the form that it is loaded in: the one that would replace it,
    where `accepts_replacement` accepts its need, else as without.
    """
    started = time.perf_counter()
    try:
        reads = (
            None if accepts_replacement else take_reads(entry, RUNTIME)
        )  # which is of another form, perhaps
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
        read_store_id(layout)  # the whole store may have gone: then it is not the version's fault
        if isinstance(error, NotFoundError):
            raise LoadError(f"version {number} of {model!r} is incomplete: {error}") from error
        raise LoadError(f"version {number} of {model!r} cannot be loaded: {error}") from error
    then = None
    if plan.replacement:
        variant, variant_files = plan.replacement
        then = Replacement(variant.name, variant_files, need_of(variant, entry.size_bytes), verify)
    return loaded._replace(
        need=need,
        phases_ms={"manifests": read_ms, **loaded.phases_ms},
        variant=plan.variant.name if plan.variant else PLAIN,
        fallback=plan.fallback(RUNTIME),
        replacement=then,
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
    """Load a version from its folder, which may still be in staging, in a form of it (None: plain).

    `prefetch` reads and checks that form; None: one is begun here. `layout` is of the store that
    holds its package set, if it pins one. Raises LoadError, PipelineError, DamagedError, and
    NotFoundError where the set is missing.
    """
    content, signature = manifest.content, manifest.signature
    phases = Phases()
    variant_files = variant_files or files_of_plain(folder, content, {})
    prefetch = prefetch or begin_prefetch(variant_files)
    with prefetch, _packages(layout, manifest, number) as why_plain:
        loading = _begin_pipeline(folder, manifest, prefetch)
        try:
            session = open_variant(variant_files, prefetch, phases)
            nested = check_session(session, signature, content.model_file)
        finally:
            wait(loading)  # it may be importing from the package set
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
    """How long each step took, in milliseconds, by its name."""

    def __init__(self) -> None:
        self.ms: dict[str, float] = {}
        self._since = time.perf_counter()

    def end(self, name: str) -> None:
        """Note what the step of this name took, which has just ended."""
        now = time.perf_counter()
        self.ms[name] = (now - self._since) * 1e3
        self._since = now


def open_variant(variant_files: VariantFiles, prefetch: Prefetch, phases: Phases) -> Any:
    """Open a session; nothing that is wrong comes out of it, for all was checked by then."""
    if not variant_files.optimized:
        # ONNX Runtime computes with the weights while it opens such a graph.
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
        prefetch.wait()  # what is damaged is told as that
        raise
    phases.end("session")
    prefetch.wait()
    phases.end("bytes")
    return session


def has_used_package_sets() -> bool:
    """Return True if any load in this process, also a failed one, has used a package set."""
    return _package_set_used.is_set()


def _packages(
    layout: StoreLayout, manifest: VersionManifest, number: int
) -> AbstractContextManager[Callable[[], str | None] | None]:
    digest = manifest.content.packages
    if digest is None:
        return contextlib.nullcontext()
    # Imported here: most versions pin no set, and a cold start imports only what it needs.
    from inference.package_sets.active_sets import use_package_set  # noqa: PLC0415

    _package_set_used.set()
    return use_package_set(layout, digest, f"version {number} of {manifest.model!r}")


def _begin_pipeline(
    folder: Path, manifest: VersionManifest, prefetch: Prefetch
) -> list[Future[Pipeline]]:
    """Load the pipeline, if there is one, beside the session: ONNX Runtime leaves Python free."""
    path = manifest.content.pipeline_file
    if path is None:
        return []

    def load() -> Pipeline:
        prefetch.wait_for_folder(folder)  # it may read its data as it is loaded
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
    # A number that is given is not pinned to processors, as ONNX Runtime's own choice is.
    options.intra_op_num_threads = environment_threads()
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    # A pool keeps the most that any call took; and a pattern is kept for each shape ever seen,
    # with its memory where there is no pool (docs/adr/0004-memory-that-falls.md).
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
        give_back()  # what loading took besides: up to the size of the graph's file, twice


def check_session(session: Any, signature: Signature, file: str) -> dict[str, str]:
    """Hold a session against the signature; its outputs that are no tensors, with their types.

    `file` is the graph's, as an error names it. Raises LoadError.
    """
    outputs = session.get_outputs()
    nested = {node.name: node.type for node in outputs if node.type.startswith(("seq(", "map("))}
    given = [node.name for node in session.get_inputs()]
    gives = [node.name for node in outputs]
    if nested:
        from inference.protocol.sequences import names_of  # noqa: PLC0415 - few models have them

        gives = [each for node in outputs for each in names_of(node.name, node.type)]
    if _has_bfloat16(signature) and (nested or _has_strings(signature)):
        raise LoadError(
            f"{file}: it has BF16 beside strings or sequences, which cannot be served together: "
            "cast the one or leave out the other in the graph"
        )
    for side, specs, names in (
        ("inputs", signature.inputs, given),
        ("outputs", signature.outputs, gives),
    ):
        if [spec.name for spec in specs] != names:
            raise LoadError(f"{file}: its {side} are not the signature's")
    return nested


def _has_strings(signature: Signature) -> bool:
    """Whether an input is of strings: ONNX Runtime takes them from numpy alone (protocol/bfloat16.py)."""
    return any(spec.datatype == "BYTES" for spec in signature.inputs)


def _has_bfloat16(signature: Signature) -> bool:
    return any(spec.datatype == "BF16" for spec in (*signature.inputs, *signature.outputs))
