"""The model digits: both trainings publish and answer as scikit-learn does, and they differ."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pytest

from inference.loading.loader import load_version
from inference.pipeline import Request
from model_store.layout import StoreLayout
from model_store.variant import PLAIN
from model_sync.progress import Silent
from model_sync.publishing.publish import publish
from tests.models.digits import MODEL, write_digits
from tests.support.stores import entry_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from inference.loading.loaded_version import LoadedVersion

TRAININGS: tuple[Literal["first", "second"], ...] = ("first", "second")
CASES = ["64-pixels", "8-rows", "blank", "disputed", "images"]


@pytest.fixture(scope="module")
def digits_store(tmp_path_factory: pytest.TempPathFactory) -> StoreLayout:
    """A store in which version 1 is the first training, version 2 the second."""
    folder = tmp_path_factory.mktemp("digits")
    for number, training in enumerate(TRAININGS, 1):
        published = publish(
            write_digits(folder / training, training), folder / "store", progress=Silent()
        )
        assert (published.model, published.version, published.created) == ("digits", number, True)
    return StoreLayout(folder / "store")


@pytest.fixture(scope="module")
def trainings(digits_store: StoreLayout) -> dict[str, LoadedVersion]:
    return {
        training: load_version(
            digits_store, "digits", number, entry_of(digits_store.root, number, "digits")
        )
        for number, training in enumerate(TRAININGS, 1)
    }


@pytest.fixture(scope="module")
def pipeline(import_file: Callable[[Path], Any]) -> Any:
    return import_file(MODEL / "pipeline.py")


def test_so_small_a_graph_is_opened_as_it_was_given(trainings: dict[str, LoadedVersion]) -> None:
    assert {version.variant for version in trainings.values()} == {PLAIN}


def golden(training: str, case: str, file: str) -> bytes:
    return (MODEL / "golden" / training / case / file).read_bytes()


def answer(version: LoadedVersion, body: bytes) -> Any:
    return json.loads(version.predict(Request(body, "application/json")).body)


@pytest.mark.parametrize("training", TRAININGS)
@pytest.mark.parametrize("case", CASES)
def test_each_training_answers_as_scikit_learn_does(
    trainings: dict[str, LoadedVersion], training: str, case: str
) -> None:
    answers = answer(trainings[training], golden(training, case, "request.json"))
    expected = json.loads(golden(training, case, "expected.json"))
    if case != "images":
        answers, expected = [answers], [expected]
    assert [each["digit"] for each in answers] == [each["digit"] for each in expected]
    for ours, theirs in zip(answers, expected, strict=True):
        np.testing.assert_allclose(
            ours["probabilities"], theirs["probabilities"], rtol=0, atol=1e-5
        )


def test_every_case_is_tried_here() -> None:
    for training in TRAININGS:
        assert sorted(path.name for path in (MODEL / "golden" / training).iterdir()) == CASES


@pytest.mark.parametrize("case", CASES)
def test_the_trainings_answers_differ(trainings: dict[str, LoadedVersion], case: str) -> None:
    body = golden("first", case, "request.json")
    first, second = (answer(trainings[training], body) for training in TRAININGS)
    if case != "images":
        first, second = [first], [second]
    for one, other in zip(first, second, strict=True):
        apart = np.abs(np.subtract(one["probabilities"], other["probabilities"]))
        assert apart.max() > 0.001  # a hundred times what golden cases allow


def test_they_differ_about_a_digit_too(trainings: dict[str, LoadedVersion]) -> None:
    body = golden("first", "disputed", "request.json")
    assert [answer(trainings[training], body)["digit"] for training in TRAININGS] == [8, 1]


def test_an_image_is_the_same_in_rows_and_in_a_list(trainings: dict[str, LoadedVersion]) -> None:
    version = trainings["first"]
    pixels = json.loads(golden("first", "64-pixels", "request.json"))
    rows = [pixels[start : start + 8] for start in range(0, 64, 8)]
    alone = answer(version, json.dumps(pixels).encode())
    assert answer(version, json.dumps(rows).encode()) == alone
    assert answer(version, json.dumps([rows]).encode()) == [alone]
    both = answer(version, json.dumps([pixels, [16] * 64]).encode())
    assert len(both) == 2
    assert both[0]["digit"] == alone["digit"]


IMAGE = "send JSON: 64 pixels, 8 rows of 8 pixels, or a list of such images"
PIXEL = "a pixel is a number from 0 to 16"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("", IMAGE),
        ("not JSON", IMAGE),
        ("7", IMAGE),
        ("[]", IMAGE),
        ("[[]]", IMAGE),
        ("{}", IMAGE),
        ("null", IMAGE),
        ("[" * 100_000, IMAGE),
        (json.dumps([0] * 63), IMAGE),
        (json.dumps([[0] * 8] * 7), IMAGE),
        (json.dumps([[0] * 8] * 7 + [[0] * 7]), IMAGE),
        (json.dumps([[0] * 64, [[0] * 8] * 8]), IMAGE),
        (json.dumps([[[[0] * 8] * 8]]), IMAGE),
        (json.dumps(["0"] * 64), PIXEL),
        (json.dumps([None] * 64), PIXEL),
        (json.dumps([True] * 64), PIXEL),
        (json.dumps([0] * 63 + [-1]), PIXEL),
        (json.dumps([0] * 63 + [16.5]), PIXEL),
        (json.dumps([0] * 63 + [1e300]), PIXEL),
        (json.dumps([0] * 63 + [10**30]), PIXEL),
        (json.dumps([0] * 63 + [float("nan")]), PIXEL),
        (json.dumps([0] * 63 + [float("inf")]), PIXEL),
    ],
)
def test_what_is_no_image_is_refused(pipeline: Any, body: str, message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        pipeline.decode(Request(body.encode(), "application/json"))
    assert str(caught.value) == message


def test_bytes_that_are_no_text_are_refused(pipeline: Any) -> None:
    with pytest.raises(ValueError, match=IMAGE):
        pipeline.decode(Request(b"\xff\x00"))


def test_the_readme_shows_a_real_answer() -> None:
    shown = (MODEL / "README.md").read_text().split("```json\n")[1].split("```")[0]
    assert json.loads(shown) == json.loads(golden("first", "64-pixels", "expected.json"))
