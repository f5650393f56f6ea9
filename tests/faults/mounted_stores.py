"""A store on a mount: published through it, read through it, looked at where it really is."""

from __future__ import annotations

import contextlib
import io
import os
from typing import TYPE_CHECKING, NamedTuple

from model_store.documents import FORMAT, render
from model_store.layout import StoreLayout
from model_store.names import new_id
from model_store.reading import read_upward
from model_store.refs import LATEST
from model_sync.__main__ import main
from model_sync.store_io.create_store import open_store
from tests.support.generations import following
from tests.support.model_folders import write_full
from tests.support.stores import ADDER

if TYPE_CHECKING:
    from pathlib import Path

    from bench.efs_stand_in import EfsStandIn
    from model_store.refs import Refs


class Done(NamedTuple):
    """Outcome of a command."""

    code: int
    out: str
    err: str


class MountedStore:
    """One store on a stand-in: `path` is on the mount, `beneath` is the same folder beside it."""

    def __init__(self, efs: EfsStandIn, sources: Path) -> None:
        name = new_id()
        self.efs = efs
        self.path = efs.mountpoint / name
        self.beneath = efs.source / name
        self._sources = sources
        self._published = 0

    def publish(self, constant: float | None = None) -> Done:
        """Publish an adder with golden cases by the command line: new contents, or `constant`."""
        if constant is None:
            self._published += 1
            constant = 1000.0 + self._published
        folder = write_full(self._sources / ADDER, constant)
        return self.run("publish", str(folder))

    def run(self, verb: str, *arguments: str) -> Done:
        """Run a verb in this process."""
        out, err = io.StringIO(), io.StringIO()
        quiet = ["--quiet"] if verb == "publish" else []
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = main([verb, *arguments, "--store", str(self.path), *quiet])
        return Done(code, out.getvalue(), err.getvalue())

    def refs(self) -> Refs | None:
        """The newest refs there are, whatever the mount says."""
        return read_upward(StoreLayout(self.beneath).model(ADDER))

    def latest(self) -> int:
        refs = self.refs()
        assert refs is not None
        return refs.labels[LATEST]


def write_models(store: Path, models: int, versions: int) -> None:
    """Many models of many versions each: their newest refs, and nothing that these name."""
    layout = open_store(store)
    for number in range(models):
        model = layout.model(f"model-{number}")
        refs = None
        for _ in range(versions):
            refs = following(refs, model=model.folder.name)
        assert refs is not None
        model.refs_folder.mkdir(parents=True)
        model.model_json.write_bytes(render({"format": FORMAT, "id": refs.model_id}))
        model.generation(refs.generation).write_bytes(refs.render())
        os.link(model.generation(refs.generation), model.refs_json)
