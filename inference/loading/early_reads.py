"""Start reading the models of PRELOAD_MODELS before NumPy and ONNX Runtime are imported.

Importing NumPy and ONNX Runtime takes longer than reading the first bytes of a model. The entry
point therefore starts a thread that reads refs and manifests and then starts the readers of
prefetch.py. The load that comes later takes over the manifests and the started reads. Errors are
not reported here: the load meets the same error and reports it.
"""

from __future__ import annotations

import os
import re
import sys
import threading
from typing import TYPE_CHECKING, Final

from inference.loading.load_plan import read_load_plan, start_reads
from inference.process.clock import Moment
from inference.settings import SettingError, Settings
from model_store.errors import StoreError
from model_store.layout import StoreLayout
from model_store.preparation import runtime_key
from model_store.reading import refresh
from model_store.refs import LATEST, State

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from inference.loading.load_plan import StartedReads
    from inference.settings import Verify
    from model_store.reading import Seen
    from model_store.refs import VersionEntry

_VERSION: Final = re.compile(rb'^__version__ = "([0-9][0-9A-Za-z.+]*)"', re.MULTILINE)
_FIRST_BYTES: Final = 4096


class EarlyReads:
    """Refs and started reads, each for the first load that takes them. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seen: dict[str, tuple[Moment, Seen]] = {}
        self._started: dict[str, StartedReads] = {}
        self._requested: set[str] = set()

    def take_seen(self, model: str) -> tuple[Moment, Seen] | None:
        """Return a model's refs, read upward, and the start time of that read; only once each."""
        with self._lock:
            return self._seen.pop(model, None)

    def take_reads(self, entry: VersionEntry, runtime: str) -> StartedReads | None:
        """Return a version's started reads for the preparation that refs name; only once each."""
        with self._lock:
            self._requested.add(entry.id)
            reads = self._started.pop(entry.id, None)
        if reads is None:
            return None
        preparation = reads.plan.preparation
        if entry.preparations.get(runtime) == (preparation.id if preparation else None):
            return reads
        reads.stop()
        return None

    def read(
        self, layout: StoreLayout, models: Iterable[str], runtime: str, verify: Verify
    ) -> None:
        """Read the version that each model's `latest` label names, one after another."""
        for model in dict.fromkeys(models):
            try:
                self._read(layout, model, runtime, verify)
            except (StoreError, RuntimeError):  # RuntimeError: no more threads
                continue  # the load meets the same error

    def _read(self, layout: StoreLayout, model: str, runtime: str, verify: Verify) -> None:
        started = Moment.now()
        seen = refresh(layout, model, None)
        with self._lock:
            self._seen[model] = started, seen
        entry = seen.refs.versions.get(seen.refs.labels.get(LATEST, 0))
        if entry is None or entry.state is not State.AVAILABLE:
            return
        plan, reads = read_load_plan(layout, model, entry, runtime), None
        with self._lock:
            if entry.id not in self._requested:  # else its load reads it already
                reads = self._started[entry.id] = start_reads(layout, plan, verify)
        if reads is not None:
            reads.prefetch.wait_until_read()  # before the next model's readers start


def begin(environ: Mapping[str, str]) -> EarlyReads:
    """Start early reads in a thread, as the settings say.

    A wrong setting is ignored here. The entry point reads the settings again soon and reports it.
    """
    early = EarlyReads()
    try:
        settings = Settings.from_environ(environ)
    except SettingError:
        return early
    models = settings.preload_models
    version = installed_version() if models else None
    if version is None:
        return early
    layout, runtime = StoreLayout(settings.store_path), runtime_key(version, os.uname().machine)
    threading.Thread(
        target=early.read,
        args=(layout, models, runtime, settings.verify),
        name="coldpress-early",
        daemon=True,
    ).start()
    return early


def installed_version() -> str | None:
    """Return the version of the ONNX Runtime that an import would find; None if unknown.

    This reads the first lines of the package's `__init__.py` and imports nothing.
    """
    for folder in sys.path:
        try:
            with open(f"{folder}/onnxruntime/__init__.py", "rb") as stream:  # noqa: PTH123 - at INIT
                match = _VERSION.search(stream.read(_FIRST_BYTES))
        except OSError:
            continue
        return match[1].decode("ascii") if match else None
    return None
