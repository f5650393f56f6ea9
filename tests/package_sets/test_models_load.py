"""A published version answers with what its set holds, or says in one line why it cannot."""

from __future__ import annotations

import gc
import os
import shutil
import subprocess
import sys
import time
import weakref
from typing import TYPE_CHECKING

import pytest

from inference.errors import LoadError
from inference.loading.loader import load_version
from inference.pipeline import Request
from inference.serving.manager import Manager
from model_store.errors import StoreUnreachableError
from model_store.layout import MANIFEST
from model_store.package_set import PackageSetManifest
from model_store.reading import read_version
from model_sync.progress import Silent
from model_sync.publishing.publish import publish
from tests.support.packaged_models import MODEL, write_greeter
from tests.support.places import ROOT
from tests.support.snapshots import snapshot
from tests.support.stores import commit, entry_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from inference.loading.loaded_version import LoadedVersion
    from model_store.digests import Digest
    from model_store.layout import StoreLayout


@pytest.fixture(autouse=True)
def path(monkeypatch: pytest.MonkeyPatch) -> None:
    """This process's `sys.path`, put back after the test."""
    monkeypatch.setattr(sys, "path", [*sys.path])


def publish_greeter(layout: StoreLayout, wheels: Path, package: str, version: str = "1.0") -> None:
    folder = layout.root.parent / MODEL
    shutil.rmtree(folder, ignore_errors=True)
    write_greeter(folder, wheels, package, version=version)
    publish(folder, layout.root, progress=Silent())


def load(layout: StoreLayout, number: int = 1) -> LoadedVersion:
    return load_version(layout, MODEL, number, entry_of(layout.root, number, MODEL))


def greeting(loaded: LoadedVersion) -> object:
    return loaded.predict(Request(b"[1, 2]")).body


def in_another_process(layout: StoreLayout) -> subprocess.CompletedProcess[str]:
    """Return the answer of a new process, which may write bytecode unless told otherwise."""
    environ = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME"}}
    request = layout.root.parent / "request.json"
    request.write_text("[1, 2]")
    return subprocess.run(
        [sys.executable, "-m", "inference", "predict", "--store", layout.root, MODEL, request],
        cwd=ROOT, env=environ, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip


def test_a_version_answers_with_what_its_set_holds_and_writes_nothing(
    layout: StoreLayout, wheels: Path
) -> None:
    publish_greeter(layout, wheels, "answers")
    before = snapshot(layout.root)
    assert greeting(load(layout)) == "answers 1.0"
    assert greeting(load(layout)) == "answers 1.0"
    (site,) = (entry for entry in sys.path if entry.startswith(str(layout.packages)))
    assert sys.path[-1] == site
    done = in_another_process(layout)
    assert (done.returncode, done.stdout.strip()) == (0, "answers 1.0"), done.stderr
    assert snapshot(layout.root) == before


def set_folder(layout: StoreLayout) -> Path:
    (folder,) = layout.packages.iterdir()
    return folder


def remove(layout: StoreLayout) -> None:
    shutil.rmtree(set_folder(layout))


def damage(layout: StoreLayout) -> None:
    manifest = set_folder(layout) / MANIFEST
    manifest.write_bytes(manifest.read_bytes()[:-20])


def change_wheels(layout: StoreLayout) -> None:
    """The manifest of another set, whole, in this set's place."""
    path = set_folder(layout) / MANIFEST
    manifest = PackageSetManifest.parse(path.read_bytes(), "it")
    path.write_bytes(manifest._replace(wheels=(), modules={}).render())


def change_target(layout: StoreLayout) -> None:
    path = set_folder(layout) / MANIFEST
    manifest = PackageSetManifest.parse(path.read_bytes(), "it")
    other = manifest._replace(target=manifest.target._replace(python="3.99"))
    path.write_bytes(other.render())
    path.parent.rename(layout.package_set(other.digest))
    pin(layout, other.digest)


def pin(layout: StoreLayout, packages: Digest) -> None:
    """Let version 1 pin another set, as if it had been published so, for another runtime."""
    entry = entry_of(layout.root, 1, MODEL)
    manifest = read_version(layout, MODEL, entry)
    content = manifest.content._replace(packages=packages)
    path = layout.model(MODEL).version(entry.id) / MANIFEST
    path.write_bytes(manifest._replace(content=content).render())
    entry = entry._replace(digest=content.digest, preparations={})
    commit(layout.root, MODEL, lambda refs: refs._replace(versions={1: entry}))


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (remove, "is incomplete: the store holds no package set sha256:"),
        (damage, "cannot be loaded: .*manifest.json is not a JSON document"),
        (change_wheels, "cannot be loaded: .*is the manifest of another package set"),
        (change_target, "needs packages for Python 3.99 on .*; this is Python 3"),
    ],
)
def test_a_version_whose_set_cannot_be_used_does_not_load(
    layout: StoreLayout, wheels: Path, spoil: Callable[[StoreLayout], None], reason: str
) -> None:
    publish_greeter(layout, wheels, "spoiled")
    spoil(layout)
    before = [*sys.path]
    with pytest.raises(LoadError, match=f"^version 1 of '{MODEL}' {reason}") as caught:
        load(layout)
    assert "\n" not in str(caught.value)
    assert sys.path == before


def test_a_set_that_is_gone_with_the_whole_store_is_not_the_versions_fault(
    layout: StoreLayout, wheels: Path
) -> None:
    publish_greeter(layout, wheels, "gone")
    entry = entry_of(layout.root, 1, MODEL)
    remove(layout)
    layout.store_json.unlink()
    with pytest.raises(StoreUnreachableError):
        load_version(layout, MODEL, 1, entry)


def test_a_version_that_does_not_load_leaves_its_set_out(
    layout: StoreLayout, wheels: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish_greeter(layout, wheels, "fails_here")
    before = [*sys.path]
    with monkeypatch.context() as patched:
        patched.setitem(sys.modules, "fails_here", None)  # importing it raises ImportError
        with pytest.raises(LoadError, match="fails_here"):
            load(layout)
    assert sys.path == before
    assert greeting(load(layout)) == "fails_here 1.0"


def test_a_version_with_other_wheels_waits_for_an_environment_that_starts_anew(
    layout: StoreLayout, wheels: Path
) -> None:
    publish_greeter(layout, wheels, "moves_on", version="1.0")
    manager = Manager(layout, ref_ttl_s=0.0, load=load_version)
    assert greeting(manager.resolve(MODEL).loaded) == "moves_on 1.0"
    publish_greeter(layout, wheels, "moves_on", version="2.0")
    with pytest.raises(LoadError, match=f"^version 2 of '{MODEL}' needs moves-on 2.0, and another"):
        load(layout, 2)
    for _ in range(20):
        assert greeting(manager.resolve(MODEL).loaded) == "moves_on 1.0"
    done = in_another_process(layout)
    assert done.stdout.strip() == "moves_on 2.0", done.stderr


def test_a_version_that_is_let_go_leaves_nothing_behind(layout: StoreLayout, wheels: Path) -> None:
    """Its pipeline is in cycles with itself, and was set aside with what it imported."""
    folder = layout.root.parent / MODEL
    for constant in (1.0, 2.0):
        shutil.rmtree(folder, ignore_errors=True)
        write_greeter(folder, wheels, "let_go", constant=constant)
        pipeline = folder / "pipeline.py"
        pipeline.write_text(f"{pipeline.read_text()}\n\nclass Kept:\n    pass\n\n\nKEPT = Kept()\n")
        publish(folder, layout.root, progress=Silent())
        if constant == 1.0:
            manager = Manager(layout, ref_ttl_s=0.0, load=load_version)
            loaded = manager.resolve(MODEL).loaded
            assert greeting(loaded) == "let_go 1.0"
            kept = weakref.ref(loaded.pipeline._module.KEPT)  # type: ignore[union-attr]
            del loaded
    until = time.monotonic() + 60
    while kept() is not None:
        assert time.monotonic() < until
        manager.resolve(MODEL)
        gc.collect()
        time.sleep(0.05)
