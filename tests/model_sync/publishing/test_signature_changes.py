"""A label never moves, unasked, to a version that its callers cannot go on calling."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from onnx import TensorProto, helper

from model_store.layout import MANIFEST, StoreLayout
from model_store.reading import read_upward
from model_store.refs import LATEST
from model_sync.errors import SignatureError, code_of
from model_sync.preparation.trial import try_version
from model_sync.progress import Silent
from model_sync.publishing.publish import publish
from tests.model_sync import awkward_models as awkward
from tests.support.model_folders import write_bare
from tests.support.models import write_identity
from tests.support.snapshots import snapshot
from tests.support.trials import during_the_trial

if TYPE_CHECKING:
    from pathlib import Path

    from model_sync.publishing.publication import PublishResult
    from tests.model_sync.conftest import Publish


class _Heard(Silent):
    """Progress that keeps its notices."""

    def __init__(self) -> None:
        self.steps: list[str] = []

    def step(self, what: str, total_bytes: int = 0) -> None:
        self.steps.append(what)


def _labels(store: StoreLayout) -> dict[str, int]:
    refs = read_upward(store.model("adder"))
    assert refs
    return dict(refs.labels)


def _other(folder: Path, shape: list[int | str] | None = None) -> Path:
    """y = x in FP64: of x and y, datatype and shape are others than an adder's."""
    write_identity(folder, TensorProto.DOUBLE, shape=[3] if shape is None else shape)
    return folder


def _publish_other(tmp_path: Path, **options: Any) -> PublishResult:
    return publish(
        _other(tmp_path / "other"), tmp_path / "store", name="adder", progress=Silent(), **options
    )


def test_what_would_break_callers_is_refused_and_nothing_is_changed(
    tmp_path: Path, new_store: StoreLayout, publish_to: Publish
) -> None:
    publish_to(write_bare(tmp_path / "adder"))
    before = snapshot(new_store.models)
    with pytest.raises(SignatureError) as caught:
        _publish_other(tmp_path)
    assert str(caught.value) == (
        "callers of version 1, which 'latest' of 'adder' names, would be broken: "
        "input 'x' was FP32, is FP64; input 'x' had shape [any, 2], has [3]; "
        "output 'y' was FP32, is FP64; output 'y' had shape [any, 2], has [3]: "
        "publish it under another label, or with --allow-signature-change"
    )
    assert code_of(caught.value) == "signature"
    assert snapshot(new_store.models) == before
    assert list((new_store.root / "staging").iterdir()) == []


def test_it_is_refused_before_it_is_tried(
    tmp_path: Path, publish_to: Publish, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish_to(write_bare(tmp_path / "adder"))
    tried: list[Path] = []

    def trying(folder: Path, *arguments: Any, **options: Any) -> Any:
        tried.append(folder)
        return try_version(folder, *arguments, **options)

    monkeypatch.setattr("model_sync.preparation.build.try_version", trying)
    with pytest.raises(SignatureError):
        _publish_other(tmp_path)
    assert tried == []


def test_it_is_published_where_that_is_allowed_and_each_difference_is_told(
    tmp_path: Path, new_store: StoreLayout, publish_to: Publish
) -> None:
    publish_to(write_bare(tmp_path / "adder"))
    heard = _Heard()
    published = publish(
        _other(tmp_path / "other"),
        new_store.root,
        name="adder",
        progress=heard,
        allow_signature_change=True,
    )
    assert (published.version, published.labels) == (2, (LATEST,))
    served = "unlike version 1, which 'latest' of 'adder' names: "
    assert [step.removeprefix(served) for step in heard.steps if step.startswith(served)] == [
        "input 'x' was FP32, is FP64 (breaks callers)",
        "input 'x' had shape [any, 2], has [3] (breaks callers)",
        "output 'y' was FP32, is FP64 (breaks callers)",
        "output 'y' had shape [any, 2], has [3] (breaks callers)",
    ]


def test_what_breaks_nobody_is_published_and_told(
    tmp_path: Path, new_store: StoreLayout, publish_to: Publish
) -> None:
    publish_to(write_bare(tmp_path / "adder"))
    awkward.write(
        tmp_path / "adder" / "model.onnx",
        [helper.make_node("Identity", ["x"], [name]) for name in ("more", "y")],
        inputs=[awkward.value("x", ["batch", 2])],
        outputs=[awkward.value(name, ["batch", 2]) for name in ("more", "y")],
    )
    heard = _Heard()
    publish(tmp_path / "adder", new_store.root, progress=heard)
    assert _labels(new_store) == {LATEST: 2}
    assert (
        "unlike version 1, which 'latest' of 'adder' names: output 'more' is new (breaks no caller)"
    ) in heard.steps


def test_a_label_that_names_nothing_yet_has_no_callers(
    tmp_path: Path, new_store: StoreLayout, publish_to: Publish
) -> None:
    publish_to(write_bare(tmp_path / "adder"))
    assert _publish_other(tmp_path, label="canary").version == 2
    # And what counts is what the label names, not what is newest.
    publish_to(write_bare(tmp_path / "adder", 2.0))
    with pytest.raises(SignatureError, match="version 2, which 'canary' of 'adder' names"):
        publish_to(write_bare(tmp_path / "adder", 3.0), label="canary")
    assert _labels(new_store) == {LATEST: 3, "canary": 2}


def test_a_label_goes_back_to_older_contents_only_where_its_callers_can(
    tmp_path: Path, new_store: StoreLayout, publish_to: Publish
) -> None:
    old = write_bare(tmp_path / "adder")
    publish_to(old)
    _publish_other(tmp_path, allow_signature_change=True)
    with pytest.raises(SignatureError, match="version 2, which 'latest' of 'adder' names"):
        publish_to(old)
    assert _labels(new_store) == {LATEST: 2}
    assert publish_to(old, allow_signature_change=True).version == 1
    assert _labels(new_store) == {LATEST: 1}


def test_the_same_contents_again_are_compared_with_nothing(
    tmp_path: Path, new_store: StoreLayout, publish_to: Publish
) -> None:
    folder = write_bare(tmp_path / "adder")
    publish_to(folder)
    [version] = new_store.model("adder").versions.iterdir()
    (version / MANIFEST).write_bytes(b"damaged")
    assert not publish_to(folder).changed


def test_what_another_writer_put_under_the_label_meanwhile_counts(
    tmp_path: Path, new_store: StoreLayout, publish_to: Publish, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish_to(write_bare(tmp_path / "adder"))
    fits = write_bare(tmp_path / "adder", 2.0)
    during_the_trial(monkeypatch, lambda: _publish_other(tmp_path, allow_signature_change=True))
    with pytest.raises(SignatureError, match="version 2, which 'latest' of 'adder' names"):
        publish_to(fits)
    assert _labels(new_store) == {LATEST: 2}
    refs = read_upward(new_store.model("adder"))
    assert refs
    assert {path.name for path in new_store.model("adder").versions.iterdir()} == {
        entry.id for entry in refs.versions.values()
    }


def test_what_nobody_can_compare_with_is_refused_unless_allowed(
    tmp_path: Path, new_store: StoreLayout, publish_to: Publish
) -> None:
    publish_to(write_bare(tmp_path / "adder"))
    [version] = new_store.model("adder").versions.iterdir()
    (version / MANIFEST).write_bytes(b"damaged")
    new = write_bare(tmp_path / "adder", 2.0)
    with pytest.raises(SignatureError, match="cannot be compared with that of version 1") as caught:
        publish_to(new)
    assert "--allow-signature-change" in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1
    heard = _Heard()
    publish(new, new_store.root, progress=heard, allow_signature_change=True)
    assert any(step.startswith("the signature is not compared") for step in heard.steps)
    assert _labels(new_store) == {LATEST: 2}
