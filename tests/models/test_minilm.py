"""The real MiniLM, built and published, answers as sentence-transformers does with PyTorch.

reference/vectors.npy and golden/ are what that answered (models/minilm/make_golden.py).
"""

from __future__ import annotations

import json
import shutil
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pytest

from inference.loading.loader import RUNTIME, load_folder, load_version
from inference.loading.variant_files import files_of_variant
from inference.pipeline import Request
from model_store.digests import Digest
from model_store.files import FileEntry
from model_store.layout import SOURCE
from model_store.reading import read_preparation, read_version
from model_store.variant import PLAIN
from model_sync.graphs.optimizer import EXTENDED, optimize
from model_sync.preparation.build import MAPPED, PORTABLE
from model_sync.preparation.choose import choose
from model_sync.progress import Silent
from model_sync.publishing.publish import publish
from tests.support.places import ROOT
from tests.support.stores import entry_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from inference.loading.loaded_version import LoadedVersion
    from model_store.layout import StoreLayout
    from model_store.preparation import PreparationManifest
    from model_store.variant import Variant
    from model_store.version import VersionManifest

pytestmark = pytest.mark.slow

MODEL = ROOT / "models" / "minilm"
SENTENCES: list[str] = json.loads((MODEL / "reference" / "sentences.json").read_bytes())
REFERENCE = np.load(MODEL / "reference" / "vectors.npy")


@pytest.fixture(scope="module")
def version(minilm_store: StoreLayout) -> Iterator[LoadedVersion]:
    path = [*sys.path]
    yield load_version(minilm_store, "minilm", 1, entry_of(minilm_store.root, 1, "minilm"))
    sys.path[:] = path


class Prepared(NamedTuple):
    """Publishing's measurements of the variants, and the files of all variants, in `folder`.

    Noise may make publishing choose any of them, and it drops the files of the others.
    """

    manifest: VersionManifest
    preparation: PreparationManifest
    variants: tuple[Variant, ...]
    folder: Path


@pytest.fixture(scope="module")
def prepared(
    minilm_store: StoreLayout, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Prepared]:
    """The preparation, with the optimized graph made again; gone after the tests."""
    entry = entry_of(minilm_store.root, 1, "minilm")
    manifest = read_version(minilm_store, "minilm", entry)
    preparation = read_preparation(minilm_store, "minilm", entry, RUNTIME)
    assert preparation
    folder = tmp_path_factory.mktemp("prepared")
    made = folder / PORTABLE
    made.mkdir()
    source = minilm_store.model("minilm").version(entry.id) / manifest.content.model_file
    optimize({source: made}, EXTENDED, layout=minilm_store)
    files = tuple(
        FileEntry(
            f"{PORTABLE}/{path.name}", path.stat().st_size, Digest.of_bytes(path.read_bytes())
        )
        for path in sorted(made.iterdir())
    )
    variants = tuple(
        each if each.name == PLAIN else each._replace(files=files) for each in preparation.variants
    )
    yield Prepared(manifest, preparation, variants, folder)
    shutil.rmtree(folder)


def answer(version: LoadedVersion, value: object) -> Any:
    return json.loads(version.predict(Request(json.dumps(value).encode(), "application/json")).body)


def test_each_sentence_s_vector_is_the_original_s(version: LoadedVersion) -> None:
    assert len(SENTENCES) == len(REFERENCE) >= 40
    ours = np.array([answer(version, sentence) for sentence in SENTENCES])
    np.testing.assert_allclose(ours, REFERENCE, rtol=0, atol=1e-5)


def test_its_optimized_forms_were_measured_and_found_right(prepared: Prepared) -> None:
    found = prepared.preparation.variants
    assert [(each.name, each.optimized, each.refused) for each in found] == [
        (PLAIN, False, None),
        (PORTABLE, True, None),
        (MAPPED, True, None),
    ]
    assert all(each.measured.load_ms > 0 and each.measured.warm_ms > 0 for each in found)


def test_the_form_to_open_follows_from_what_was_measured(prepared: Prepared) -> None:
    content, found = prepared.manifest.content, prepared.preparation
    source = [entry for entry in content.files if entry.path.startswith(f"{SOURCE}/")]
    choice = choose(prepared.variants, content.optimize_for, source)
    assert (found.chosen, found.why, found.replacement) == (
        choice.name,
        choice.why,
        choice.replacement,
    )
    kept = {each.name for each in found.variants if each.can_be_opened}
    assert kept == choice.kept | {PLAIN}
    warm = found.named(found.replacement or found.chosen).measured.warm_ms
    assert warm <= found.named(PLAIN).measured.warm_ms * 1.05


@pytest.mark.parametrize("form", [PORTABLE, MAPPED])
def test_either_optimized_form_gives_the_original_s_vectors(
    minilm_store: StoreLayout, prepared: Prepared, version: LoadedVersion, form: str
) -> None:
    manifest = prepared.manifest
    (variant,) = (each for each in prepared.variants if each.name == form)
    opened = files_of_variant(variant, version.folder, prepared.folder, manifest.content)
    assert opened.optimized
    loaded = load_folder(version.folder, manifest, 1, layout=minilm_store, variant_files=opened)
    vectors = [answer(loaded, SENTENCES[at : at + 16]) for at in range(0, len(SENTENCES), 16)]
    np.testing.assert_allclose(np.concatenate(vectors), REFERENCE, rtol=0, atol=1e-5)


@pytest.mark.parametrize("at_once", [2, 16])
def test_it_is_the_same_among_others_however_long(version: LoadedVersion, at_once: int) -> None:
    for start in range(0, len(SENTENCES), at_once):
        vectors = answer(version, SENTENCES[start : start + at_once])
        expected = REFERENCE[start : start + at_once]
        np.testing.assert_allclose(vectors, expected, rtol=0, atol=1e-5)


def test_what_is_meant_is_near(version: LoadedVersion) -> None:
    cat, feline, rates = answer(
        version,
        [
            "The cat sat on the mat.",
            "A feline was resting on a rug.",
            "Interest rates were raised by a quarter of a point.",
        ],
    )
    assert np.dot(cat, feline) > 0.5
    assert np.dot(cat, rates) < 0.2


def test_every_golden_case_is_answered_alone(version: LoadedVersion) -> None:
    cases = sorted((MODEL / "golden").iterdir())
    assert [case.name for case in cases] == sorted(version.content.golden.cases)
    for case in cases:
        (path,) = case.glob("request.*")
        kind = {".json": "application/json", ".txt": "text/plain"}[path.suffix]
        found = json.loads(version.predict(Request(path.read_bytes(), kind)).body)
        expected = json.loads((case / "expected.json").read_bytes())
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)


def test_what_importing_its_tokenizer_touches_was_recorded(minilm_store: StoreLayout) -> None:
    found = read_preparation(
        minilm_store, "minilm", entry_of(minilm_store.root, 1, "minilm"), RUNTIME
    )
    assert found
    names = [each.path.rpartition("/")[2] for each in found.imports]
    assert names[:2] == ["modules.idx", "modules.bin"]
    assert "tokenizers.abi3.so" in names


def test_publishing_it_again_changes_nothing(minilm_store: StoreLayout) -> None:
    published = publish(MODEL, minilm_store.root, progress=Silent())
    assert (published.version, published.created) == (1, False)
