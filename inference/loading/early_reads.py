"""Begins to read what PRELOAD_MODELS will need, before NumPy and ONNX Runtime are imported.

These imports take longer than the first bytes of a model. So an entry point begins here, in a
thread: refs, manifests, then the readers (prefetch.py). When the load comes, it finds what was read
and goes on with it. What fails here is left to the load, which fails the same way and tells it.
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
    """What is being read early, for whoever comes for it first. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seen: dict[str, tuple[Moment, Seen]] = {}
        self._begun: dict[str, StartedReads] = {}
        self._asked_for: set[str] = set()

    def take_seen(self, model: str) -> tuple[Moment, Seen] | None:
        """A model's refs, read upward, and when that began; once."""
        with self._lock:
            return self._seen.pop(model, None)

    def take_reads(self, entry: VersionEntry, runtime: str) -> StartedReads | None:
        """A version as refs name it, if it is being read for that runtime; once."""
        with self._lock:
            self._asked_for.add(entry.id)
            reads = self._begun.pop(entry.id, None)
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
        """Read what models' `latest` names, as far as that can be read, one after another."""
        for model in dict.fromkeys(models):
            try:
                self._read(layout, model, runtime, verify)
            except (StoreError, RuntimeError):  # RuntimeError: there are no more threads
                continue  # the load will meet it, too

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
            if entry.id not in self._asked_for:  # else its load has begun to read it by itself
                reads = self._begun[entry.id] = start_reads(layout, plan, verify)
        if reads is not None:
            reads.prefetch.wait_until_read()  # the next one's readers come after this one's


def begin(environ: Mapping[str, str]) -> EarlyReads:
    """Begin, as the settings say; a wrong one is told when they are read again, soon after."""
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
    """The version of ONNX Runtime that an import would find, by reading its first lines."""
    for folder in sys.path:
        try:
            with open(f"{folder}/onnxruntime/__init__.py", "rb") as stream:  # noqa: PTH123 - at INIT
                found = _VERSION.search(stream.read(_FIRST_BYTES))
        except OSError:
            continue
        return found[1].decode("ascii") if found else None
    return None
