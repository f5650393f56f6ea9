"""A variant that was not prepared for this environment is reported by a metric and a log line."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from inference.loading.load_plan import read_load_plan
from inference.loading.loader import RUNTIME, load_version
from inference.serving.manager import Manager
from model_store.digests import Digest
from model_store.files import FileEntry
from model_store.layout import MANIFEST, StoreLayout
from model_store.reading import read_preparation
from model_store.variant import Measurement, Variant
from tests.inference.logs import log_lines
from tests.support.processors import WITH_AVX512, WITHOUT_AVX512, pretended
from tests.support.stores import ADDER, commit, entry_of

if TYPE_CHECKING:
    from pathlib import Path

    from model_store.refs import Refs


def _without_preparation(refs: Refs) -> Refs:
    entry = refs.versions[1]._replace(preparations={})
    return refs._replace(versions={**refs.versions, 1: entry})


def _metrics(out: str) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in out.splitlines()]
    return [line for line in lines if "FallbackLoads" in line]


@pytest.fixture(autouse=True)
def _metrics_are_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("POWERTOOLS_METRICS_DISABLED", raising=False)
    monkeypatch.delenv("POWERTOOLS_DEV", raising=False)


def test_a_version_that_nobody_prepared_for_this_runtime_is_loaded_plain_and_that_is_said(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    commit(store, ADDER, _without_preparation)
    manager = Manager(StoreLayout(store), ref_ttl_s=0.0, load=load_version)
    capsys.readouterr()
    with log_lines() as lines:
        loaded = manager.resolve(ADDER, 1).loaded
    assert loaded.variant == "plain"
    [metric] = _metrics(capsys.readouterr().out)
    assert (metric["model"], metric["FallbackLoads"]) == (ADDER, [1])
    [line] = [line for line in lines if "is not prepared" in line["message"]]
    assert (line["model"], line["version"]) == (ADDER, 1)
    assert line["reason"] == f"no preparation for {RUNTIME}; loaded as the plain variant"


def test_of_a_version_that_was_prepared_for_here_nothing_is_said(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    manager = Manager(StoreLayout(store), ref_ttl_s=0.0, load=load_version)
    capsys.readouterr()
    assert manager.resolve(ADDER, 1).loaded.fallback is None
    assert not _metrics(capsys.readouterr().out)


def test_a_form_for_another_processor_is_passed_over_and_the_reason_names_both(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    layout, entry = StoreLayout(store), entry_of(store, 1)
    found = read_preparation(layout, ADDER, entry, RUNTIME)
    assert found
    files = (FileEntry("wide/model.onnx", 1, Digest.of_bytes(b"1")),)
    measured = Measurement(1.0, 1.0, 1.0, 1, 1, 0)
    wide = Variant("wide", "wide/model.onnx", {}, measured, files=files, block_width=16)
    manifest = found._replace(variants=(*found.variants, wide), chosen="wide")
    path = layout.model(ADDER).preparation(found.id) / MANIFEST
    path.write_bytes(manifest.render())
    with pretended(WITH_AVX512, tmp_path, monkeypatch):
        plan = read_load_plan(layout, ADDER, entry, RUNTIME)
        assert plan.variant == wide
        assert plan.fallback(RUNTIME) is None
    with pretended(WITHOUT_AVX512, tmp_path, monkeypatch):
        plan = read_load_plan(layout, ADDER, entry, RUNTIME)
        assert plan.variant
        assert plan.variant.name == "plain"
        assert plan.fallback(RUNTIME) == (
            "the wide variant needs a processor with blocks of 16; loaded as the plain variant"
        )
        assert load_version(layout, ADDER, 1, entry).fallback == plan.fallback(RUNTIME)


def test_what_would_replace_a_form_for_another_processor_is_said_to_stand_in_for_it(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    layout, entry = StoreLayout(store), entry_of(store, 1)
    found = read_preparation(layout, ADDER, entry, RUNTIME)
    assert found
    measured = Measurement(1.0, 1.0, 1.0, 1, 1, 0)
    variants = []
    for name, width in (("portable", 0), ("wide", 16)):
        files = (FileEntry(f"{name}/model.onnx", 1, Digest.of_bytes(b"1")),)
        variant = Variant(name, f"{name}/model.onnx", {}, measured, files=files)
        variants.append(variant._replace(block_width=width))
    manifest = found._replace(
        variants=(*found.variants, *variants), chosen="wide", replacement="portable"
    )
    path = layout.model(ADDER).preparation(found.id) / MANIFEST
    path.write_bytes(manifest.render())
    with pretended(WITHOUT_AVX512, tmp_path, monkeypatch):
        plan = read_load_plan(layout, ADDER, entry, RUNTIME)
        assert plan.variant == variants[0]
        assert (plan.fallback(RUNTIME) or "").endswith("; loaded as the portable variant")
    with pretended(WITH_AVX512, tmp_path, monkeypatch):
        plan = read_load_plan(layout, ADDER, entry, RUNTIME)
        replaced = plan._replace(variant=variants[0], replacement=None)
        assert replaced.fallback(RUNTIME) is None
