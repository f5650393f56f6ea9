"""The real MiniLM, built and published, answers as sentence-transformers does with PyTorch.

reference/vectors.npy and golden/ are what that answered (models/minilm/make_golden.py).
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from inference.loader import RUNTIME, load_version
from inference.pipeline import Request
from model_store.reading import read_preparation
from model_store.variant import PLAIN
from model_sync.progress import Silent
from model_sync.publish import publish
from tests.inference.stores import entry_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inference.loaded import LoadedVersion
    from model_store.layout import StoreLayout

pytestmark = pytest.mark.slow

MODEL = Path(__file__).resolve().parents[2] / "models" / "minilm"
SENTENCES: list[str] = json.loads((MODEL / "reference" / "sentences.json").read_bytes())
REFERENCE = np.load(MODEL / "reference" / "vectors.npy")


@pytest.fixture(scope="module")
def store(minilm_store: StoreLayout) -> StoreLayout:
    return minilm_store


@pytest.fixture(scope="module")
def version(store: StoreLayout) -> Iterator[LoadedVersion]:
    path = [*sys.path]
    yield load_version(store, "minilm", 1, entry_of(store.root, 1, "minilm"))
    sys.path[:] = path


def answer(version: LoadedVersion, value: object) -> Any:
    return json.loads(version.predict(Request(json.dumps(value).encode(), "application/json")).body)


def test_each_sentence_s_vector_is_the_original_s(version: LoadedVersion) -> None:
    assert len(SENTENCES) == len(REFERENCE) >= 40
    ours = np.array([answer(version, sentence) for sentence in SENTENCES])
    np.testing.assert_allclose(ours, REFERENCE, rtol=0, atol=1e-5)


def test_it_is_opened_optimized_and_is_as_fast_as_plain_when_warm(store: StoreLayout) -> None:
    found = read_preparation(store, "minilm", entry_of(store.root, 1, "minilm"), RUNTIME)
    assert found
    assert found.variant.optimized
    warm = found.named(found.replacement or found.chosen).measured.warm_ms
    assert warm <= found.named(PLAIN).measured.warm_ms * 1.05


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


def test_what_importing_its_tokenizer_touches_was_recorded(store: StoreLayout) -> None:
    found = read_preparation(store, "minilm", entry_of(store.root, 1, "minilm"), RUNTIME)
    assert found
    names = [each.path.rpartition("/")[2] for each in found.imports]
    assert names[:2] == ["modules.idx", "modules.bin"]
    assert "tokenizers.abi3.so" in names


def test_publishing_it_again_changes_nothing(store: StoreLayout) -> None:
    published = publish(MODEL, store.root, progress=Silent())
    assert (published.version, published.created) == (1, False)
