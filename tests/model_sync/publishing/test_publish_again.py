"""Identity is content: what publishing does when something is published already."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from inference.loading.loader import RUNTIME
from model_store.errors import DamagedError
from model_store.reading import read_preparation, read_version, refresh
from model_store.refs import LATEST
from model_sync.progress import Silent
from model_sync.publishing.publish import publish
from model_sync.refs.commit import try_commit
from model_sync.store_io.staging import Staging
from tests.support.generations import change
from tests.support.model_folders import PIPELINE, write_bare, write_full
from tests.support.snapshots import Node, ids_in, snapshot

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from model_store.layout import StoreLayout
    from model_store.refs import Refs
    from tests.model_sync.conftest import Publish


def _refs(store: StoreLayout) -> Refs:
    return refresh(store, "adder", None).refs


def _visible(store: StoreLayout) -> dict[str, Node]:
    """All of a store but staging/, whose own time changes with every writer."""
    tree = snapshot(store.root)
    del tree["staging"], tree["."]
    return tree


def test_the_same_contents_again_write_nothing_at_all(
    tmp_path: Path, new_store: StoreLayout, publish_to: Publish
) -> None:
    folder = write_full(tmp_path / "adder")
    first = publish_to(folder)
    before = _visible(new_store)
    again = publish_to(folder, reason="once more")
    assert _visible(new_store) == before
    assert not again.created
    assert not again.changed
    assert (again.version, again.generation, again.labels) == (1, 1, (LATEST,))
    assert (again.digest, again.variant) == (first.digest, first.variant)


def test_another_pipeline_is_a_new_version(
    tmp_path: Path, new_store: StoreLayout, publish_to: Publish
) -> None:
    folder = write_full(tmp_path / "adder")
    first = publish_to(folder)
    (folder / "pipeline.py").write_text(PIPELINE + "\n")
    second = publish_to(folder)
    assert second.created
    assert (second.version, second.generation) == (2, 2)
    assert second.digest != first.digest
    assert _refs(new_store).labels == {LATEST: 2}
    assert len(ids_in(new_store.model("adder"))[0]) == 2


def test_older_contents_again_move_the_label_back(
    tmp_path: Path, new_store: StoreLayout, publish_to: Publish
) -> None:
    publish_to(write_bare(tmp_path / "adder", 1.0))
    publish_to(write_bare(tmp_path / "adder", 2.0))
    before = ids_in(new_store.model("adder"))
    back = publish_to(write_bare(tmp_path / "adder", 1.0))
    assert not back.created
    assert back.changed
    assert (back.version, back.generation, back.labels) == (1, 3, (LATEST,))
    refs = _refs(new_store)
    assert refs.labels == {LATEST: 1}
    assert set(refs.versions) == {1, 2}
    assert ids_in(new_store.model("adder")) == before


@pytest.fixture
def other_runtime(monkeypatch: pytest.MonkeyPatch) -> str:
    """Publish from here on as if ONNX Runtime had been upgraded."""
    runtime = "ort-99.0.0-x86_64-p1"
    monkeypatch.setattr("model_sync.publishing.publication.RUNTIME", runtime)
    return runtime


def test_another_runtime_adds_a_preparation_to_the_same_version(
    tmp_path: Path, new_store: StoreLayout, publish_to: Publish, request: pytest.FixtureRequest
) -> None:
    folder = write_full(tmp_path / "adder")
    publish_to(folder)
    before = _refs(new_store).versions[1]
    untouched = snapshot(new_store.model("adder").versions)
    runtime = request.getfixturevalue("other_runtime")
    published = publish_to(folder)
    assert (published.version, published.generation) == (1, 2)
    assert not published.created
    assert published.changed
    after = _refs(new_store).versions[1]
    assert after == before._replace(
        preparations={**before.preparations, runtime: after.preparations[runtime]}
    )
    assert snapshot(new_store.model("adder").versions) == untouched
    for key in (RUNTIME, runtime):
        assert read_preparation(new_store, "adder", after, key)
    assert ids_in(new_store.model("adder")) == ({after.id}, set(after.preparations.values()))
    assert not publish_to(folder).changed


def test_a_version_that_is_not_what_refs_name_is_not_prepared(
    tmp_path: Path, new_store: StoreLayout, publish_to: Publish, request: pytest.FixtureRequest
) -> None:
    folder = write_bare(tmp_path / "adder")
    publish_to(folder)
    before = _refs(new_store)
    manifest = read_version(new_store, "adder", before.versions[1])
    path = new_store.model("adder").version(manifest.id) / "manifest.json"
    path.write_bytes(manifest._replace(id="20261123T210935Z-0f3c9a51be77").render())
    request.getfixturevalue("other_runtime")
    with pytest.raises(DamagedError, match="is not the manifest that refs name"):
        publish_to(folder)
    assert _refs(new_store) == before


def test_the_same_contents_again_are_read_and_nothing_is_staged(
    tmp_path: Path, new_store: StoreLayout, publish_to: Publish
) -> None:
    folder = write_full(tmp_path / "adder")
    publish_to(folder)
    before = snapshot(new_store.root)
    assert not publish_to(folder).changed
    assert snapshot(new_store.root) == before


class _Meanwhile(Silent):
    """Does something when a step begins."""

    def __init__(self, begins: str, what: Callable[[], object]) -> None:
        self._begins, self._what = begins, what

    def step(self, what: str, total_bytes: int = 0) -> None:
        if what.startswith(self._begins):
            self._what()


def test_publishing_nothing_new_ends_with_settling_too(
    tmp_path: Path, new_store: StoreLayout, publish_to: Publish
) -> None:
    folder, model = write_bare(tmp_path / "adder"), new_store.model("adder")
    publish_to(folder)

    def die_after_the_link() -> None:
        with Staging(new_store) as staging:
            later = _refs(new_store)._replace(generation=2, writer="crashed", change=change())
            assert try_commit(model, staging, later)

    progress = _Meanwhile("comparing", die_after_the_link)
    found = publish(folder, new_store.root, progress=progress)
    assert (found.changed, found.generation) == (False, 2)
    assert model.refs_json.samefile(model.generation(2))


def test_a_label_that_moved_while_the_contents_were_compared_moves_back(
    tmp_path: Path, new_store: StoreLayout, publish_to: Publish
) -> None:
    one, other = write_bare(tmp_path / "adder"), write_bare(tmp_path / "other", 2.0)
    publish_to(one)
    progress = _Meanwhile("comparing", lambda: publish_to(other, name="adder"))
    found = publish(one, new_store.root, progress=progress)
    assert (found.changed, found.created, found.version, found.generation) == (True, False, 1, 3)
    assert _refs(new_store).labels == {LATEST: 1}


@pytest.mark.parametrize("behind", ["missing", "behind"])
def test_publishing_nothing_new_heals_what_a_crash_left(
    tmp_path: Path, new_store: StoreLayout, publish_to: Publish, behind: str
) -> None:
    folder = write_bare(tmp_path / "adder")
    publish_to(folder)
    model = new_store.model("adder")
    if behind == "missing":
        model.refs_json.unlink()
    else:
        refs = _refs(new_store)
        later = refs._replace(generation=2, writer="crashed", change=change())
        with Staging(new_store) as staging:
            assert try_commit(model, staging, later)
    again = publish_to(folder)
    assert not again.changed
    assert model.refs_json.samefile(model.generation(again.generation))


def test_what_was_retired_is_published_as_a_new_version(
    tmp_path: Path, new_store: StoreLayout, publish_to: Publish
) -> None:
    folder = write_bare(tmp_path / "adder")
    publish_to(folder)
    refs = _refs(new_store)
    retired = _retired(refs)
    with Staging(new_store) as staging:
        assert try_commit(new_store.model("adder"), staging, retired)
    again = publish_to(folder)
    assert (again.version, again.generation, again.created) == (2, 3, True)
    assert _refs(new_store).versions[1] == retired.versions[1]


def _retired(refs: Refs) -> Refs:
    changes: dict[str, Any] = {"state": "retired", "retired_at": "2026-11-23T21:09:35Z"}
    entry = refs.versions[1]._replace(**changes)
    return refs._replace(generation=2, writer="another", versions={1: entry}, labels={})
