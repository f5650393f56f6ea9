"""Stores to sweep: versions, preparations and package sets that are real except for models.

No model runs here, so a version takes a millisecond. To let time pass, tests sweep as of a later
time: the store's contents are as old as the test.
"""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Any, Final

from model_store.digests import Digest
from model_store.documents import FORMAT, now, render
from model_store.files import FileEntry
from model_store.layout import MANIFEST
from model_store.names import new_id
from model_store.package_set import FILES, SITE_PACKAGES, PackageSetManifest, Target, Wheel
from model_store.preparation import PreparationManifest
from model_store.reading import read_upward
from model_store.refs import LATEST, Change, Refs, State, VersionEntry
from model_store.signature import Signature, TensorSpec
from model_store.variant import Measurement, Variant
from model_store.version import GoldenCases, VersionContent, VersionManifest
from model_sync.admin.operations import run_operation
from model_sync.mounted_store import MountedStore
from model_sync.progress import Silent
from model_sync.refs.commit import ensure_model, settle, try_commit
from model_sync.refs.publish_changes import first_refs, with_version
from model_sync.store_io import durable
from model_sync.store_io.staging import Staging
from model_sync.sweep.verb import sweep_store

if TYPE_CHECKING:
    from model_store.layout import ModelLayout, StoreLayout

ADDER: Final = "adder"
DAY_S: Final = 86_400
RUNTIME: Final = "ort-0-test-p1"
GRAPH: Final = b"no graph: nothing here runs it"


class Sweepable:
    """A store, the verbs that change it, and sweeping it as of a later day."""

    def __init__(self, layout: StoreLayout) -> None:
        self.layout = layout
        self.opened = MountedStore(layout=layout, progress=Silent(), who="test")

    def run(self, verb: str, **fields: Any) -> dict[str, Any]:
        """Run one of the store's verbs."""
        return run_operation(verb, self.opened, {"model": ADDER, **fields})

    def sweep(self, days: float, *, dry_run: bool = False) -> dict[str, Any]:
        """Sweep as of so many days from now."""
        return sweep_store(self.opened, time.time() + days * DAY_S, dry_run=dry_run)

    def sweep_around(self, days: float) -> dict[str, Any]:
        """Sweep as of this many days from now while another writer publishes today.

        Staged contents are put aside, because this sweep would take them for older than they are.
        """
        staging = self.layout.root / "staging"
        aside = staging.rename(staging.with_name("put-aside"))
        found = self.sweep(days)
        with contextlib.suppress(FileNotFoundError):
            staging.rmdir()
        aside.rename(staging)
        return found

    def model(self, name: str = ADDER) -> ModelLayout:
        """A model's layout."""
        return self.layout.model(name)

    def refs(self, name: str = ADDER) -> Refs:
        """A model's newest refs."""
        refs = read_upward(self.model(name))
        assert refs
        return refs

    def states(self, name: str = ADDER) -> dict[int, str]:
        """The state of each version."""
        return {number: str(entry.state) for number, entry in self.refs(name).versions.items()}

    def in_place(self, name: str = ADDER) -> set[int]:
        """The numbers of the versions whose folders are there."""
        model = self.model(name)
        versions = self.refs(name).versions.items()
        return {number for number, entry in versions if model.version(entry.id).exists()}

    def publish(self, name: str = ADDER, *, packages: Digest | None = None) -> int:
        """Publish a version with a preparation, as publishing does; returns its number."""
        with Staging(self.layout) as staging:
            entry = self.place(staging, name, packages)
            refs = settle(self.model(name), staging)
            writer, change = new_id(), Change("test", now(), "publish", "")
            if refs is None:
                model_id = ensure_model(self.model(name), staging)
                refs = first_refs(name, model_id, writer=writer, change=change)
            following = with_version(refs, entry, label=LATEST, writer=writer, change=change)
            assert try_commit(self.model(name), staging, following)
            settle(self.model(name), staging)
        return following.labels[LATEST]

    def place(
        self, staging: Staging, name: str = ADDER, packages: Digest | None = None
    ) -> VersionEntry:
        """Put a version and its preparation in place; nothing names them yet."""
        model, version_id, preparation_id = self.model(name), new_id(), new_id()
        spec = TensorSpec("x", "FP32", (1,))
        graph = FileEntry("source/model.onnx", len(GRAPH), Digest.of_bytes(GRAPH))
        # A file that says which version it is, so that no two are the same.
        text = version_id.encode()
        data = FileEntry("source/words.txt", len(text), Digest.of_bytes(text))
        content = VersionContent(
            (graph, data), "source/model.onnx", None, GoldenCases((), 0.0, 0.0), packages
        )
        manifest = VersionManifest(name, version_id, now(), Signature((spec,), (spec,)), content)
        folder = staging.path(version_id)
        (folder / "source").mkdir(parents=True)
        durable.write_file(folder / "source" / "model.onnx", GRAPH)
        durable.write_file(folder / "source" / "words.txt", text)
        durable.write_file(folder / MANIFEST, manifest.render())
        staging.publish(version_id, model.version(version_id))
        preparation = PreparationManifest(
            model=name,
            id=preparation_id,
            version_id=version_id,
            version_digest=content.digest,
            runtime=RUNTIME,
            created_at=now(),
            chosen="plain",
            why="balanced",
            variants=(Variant("plain", "source/model.onnx", {}, Measurement(1, 1, 1, 1, 1, 1)),),
            replacement=None,
            chunks={},
        )
        staging.path(preparation_id).mkdir()
        durable.write_file(staging.path(preparation_id) / MANIFEST, preparation.render())
        staging.publish(preparation_id, model.preparation(preparation_id))
        return VersionEntry(
            id=version_id,
            state=State.AVAILABLE,
            digest=content.digest,
            size_bytes=content.size_bytes,
            published_at=now(),
            preparations={RUNTIME: preparation_id},
        )

    def retired(self, name: str = ADDER) -> int:
        """Publish four versions and retire the first, which no label named last or before."""
        for _ in range(4):
            self.publish(name)
        self.run("retire", model=name, version=1)
        return 1

    def package_set(self, package: str = "alpha") -> Digest:
        """Put a package set in place; returns its digest."""
        code = f"NAME = {package!r}\n".encode()
        entry = FileEntry(f"{SITE_PACKAGES}/{package}.py", len(code), Digest.of_bytes(code))
        files = render({"format": FORMAT, "files": [entry.to_json()]})
        wheel = Wheel(package, "1.0", Digest.of_bytes(code))
        manifest = PackageSetManifest(
            Target("3.11", "x86_64-manylinux_2_28"),
            (wheel,),
            len(code),
            1,
            Digest.of_bytes(files),
            now(),
        )
        with Staging(self.layout) as staging:
            folder = staging.path("set")
            (folder / SITE_PACKAGES).mkdir(parents=True)
            durable.write_file(folder / SITE_PACKAGES / f"{package}.py", code)
            durable.write_file(folder / FILES, files)
            durable.write_file(folder / MANIFEST, manifest.render())
            staging.publish("set", self.layout.package_set(manifest.digest))
        return manifest.digest
