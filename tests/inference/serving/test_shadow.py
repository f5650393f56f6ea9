"""The version labelled `shadow`: run on calls that others answer, compared, never returned."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from inference.http.application import Application
from inference.serving.shadow import Disagreement, compare
from inference.settings import Settings
from tests.support.calls import add, http_event, predict, send
from tests.support.damage import flip_a_byte
from tests.support.stores import ADDER, STEP, commit, publish_adder, version_folder
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from pathlib import Path

PIPELINE = """
import json, numpy as np
def decode(request): return {"x": np.array([json.loads(request.body)], np.float32)}
def encode(outputs, request): return outputs["y"].tolist()
"""

IN_PLACE = """
import json, numpy as np
X = np.zeros((1, 2), np.float32)
def decode(request):
    X[0] = json.loads(request.body)
    return {"x": X}
def encode(outputs, request):
    X[0] = 0
    outputs["y"] -= outputs["y"].max()
    return outputs["y"].tolist()
"""


def arrays(**values: Any) -> dict[str, Any]:
    return {name: np.array(value) for name, value in values.items()}


@pytest.mark.parametrize(
    ("answer", "shadow", "expected"),
    [
        (arrays(y=[[1.0, 2.0]]), arrays(y=[[1.0, 2.0]]), Disagreement(0.0, 0, 1)),
        (arrays(y=[[1.0, 2.0]]), arrays(y=[[1.5, 2.0]]), Disagreement(0.5, 0, 1)),
        (arrays(y=[[1.0, 2.0], [3, 4]]), arrays(y=[[3.0, 2.0], [3, 4]]), Disagreement(2.0, 1, 2)),
        (arrays(y=1.0), arrays(y=-1.0), Disagreement(2.0, 0, 0)),
        (arrays(y=[1.0, math.nan]), arrays(y=[1.0, math.nan]), Disagreement(0.0, 0, 1)),
        (arrays(y=[[1.0], [2.0]]), arrays(y=[[1.0], [math.nan]]), Disagreement(math.inf, 0, 0)),
        (arrays(y=[[math.inf]]), arrays(y=[[math.inf]]), Disagreement(0.0, 0, 0)),
        (arrays(y=[1, 2, 3]), arrays(y=[1, 5, 3]), Disagreement(0.0, 1, 3)),
        (arrays(y=["a", "b"]), arrays(y=["a", "c"]), Disagreement(0.0, 1, 2)),
        (arrays(y=[True]), arrays(y=[False]), Disagreement(0.0, 1, 1)),
        (arrays(y=np.zeros((0, 4))), arrays(y=np.zeros((0, 4))), Disagreement(0.0, 0, 0)),
        (
            arrays(y=[[1.0, 2.0]], z=[7]),
            arrays(y=[[1.0, 2.25]], z=[8]),
            Disagreement(0.25, 1, 2),
        ),
    ],
)
def test_how_far_two_answers_are_apart(
    answer: dict[str, Any], shadow: dict[str, Any], expected: Disagreement
) -> None:
    assert compare(answer, shadow) == expected


@pytest.mark.parametrize(
    ("shadow", "message"),
    [(arrays(z=[1.0]), "outputs are"), (arrays(y=[1.0, 2.0]), r"y has shape \(2,\), not \(1,\)")],
)
def test_what_has_another_form_is_not_compared(shadow: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        compare(arrays(y=[1.0]), shadow)


def shadow_lines(text: str) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    return [line for line in lines if "ShadowErrors" in line]


class Printed:
    """The lines of metrics about the shadow that were printed so far."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys
        self._text = ""

    def lines(self) -> list[dict[str, Any]]:
        self._text += self._capsys.readouterr().out
        return shadow_lines(self._text)


@pytest.fixture
def printed(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Printed:
    monkeypatch.delenv("POWERTOOLS_METRICS_DISABLED", raising=False)
    monkeypatch.delenv("POWERTOOLS_DEV", raising=False)
    return Printed(capsys)


def label_shadow(store: Path, number: int) -> None:
    commit(store, ADDER, lambda refs: refs._replace(labels={**refs.labels, "shadow": number}))


def service(store: Path, percent: float) -> Application:
    return Application(Settings(store, ref_ttl_s=0.0, shadow_percent=percent))


def test_the_shadow_is_run_and_compared_and_never_returned(store: Path, printed: Printed) -> None:
    label_shadow(store, 1)
    application = service(store, 100.0)
    answer = add(application, [1.0, 2.0])
    assert (answer.version, answer.headers["Coldpress-Label"]) == (3, "latest")
    assert answer.values == [1.0 + 3 * STEP, 2.0 + 3 * STEP]
    wait_until(printed.lines)
    [line] = printed.lines()
    assert line["model"] == ADDER
    assert line["ShadowErrors"] == [0]
    assert line["ShadowMaxDifference"] == [2 * STEP]
    assert (line["ShadowFlips"], line["ShadowRows"]) == ([0], [1])


def test_the_shadow_of_a_pipeline_gets_the_tensors_of_the_one_that_answers(
    store: Path, printed: Printed
) -> None:
    publish_adder(store, 5.0, pipeline=PIPELINE)
    label_shadow(store, 2)
    assert predict(service(store, 100.0), ADDER, "[1, 2]").json == [[6.0, 7.0]]
    wait_until(printed.lines)
    [line] = printed.lines()
    assert line["ShadowMaxDifference"] == [2 * STEP - 5.0]


def test_what_a_pipeline_does_to_its_arrays_is_not_what_the_shadow_is_compared_with(
    store: Path, printed: Printed
) -> None:
    publish_adder(store, 5.0, pipeline=IN_PLACE)
    label_shadow(store, 2)
    application = service(store, 100.0)
    assert predict(application, ADDER, "[1, 2]").json == [[-1.0, 0.0]]
    wait_until(printed.lines)
    [line] = printed.lines()
    assert line["ShadowMaxDifference"] == [2 * STEP - 5.0]


def test_a_call_that_names_a_version_runs_no_shadow(store: Path, printed: Printed) -> None:
    for constant in (5.0, 7.0):
        publish_adder(store, constant, pipeline=PIPELINE)
    label_shadow(store, 2)
    application = service(store, 100.0)
    by_number = http_event("POST", f"/models/{ADDER}/versions/4/predict", body="[1, 2]")
    assert send(application, by_number).json == [[6.0, 7.0]]
    assert add(application, [1.0, 2.0], version=4).values == [6.0, 7.0]
    assert predict(application, ADDER, "[1, 2]").json == [[8.0, 9.0]]
    wait_until(printed.lines)
    [line] = printed.lines()
    assert line["ShadowMaxDifference"] == [2 * STEP - 7.0]


@pytest.mark.parametrize("number", [None, 3])
def test_without_a_shadow_or_as_its_own_nothing_is_run(
    store: Path, printed: Printed, number: int | None
) -> None:
    if number:
        label_shadow(store, number)
    application = service(store, 100.0)
    for _ in range(20):
        add(application, [1.0, 2.0])
    assert printed.lines() == []


def test_at_zero_percent_nothing_is_run(store: Path, printed: Printed) -> None:
    label_shadow(store, 1)
    application = service(store, 0.0)
    for _ in range(20):
        add(application, [1.0, 2.0])
    assert printed.lines() == []


def test_a_broken_shadow_is_a_metric_and_nobodys_error(store: Path, printed: Printed) -> None:
    flip_a_byte(version_folder(store, 1) / "source/model.onnx")
    label_shadow(store, 1)
    application = service(store, 100.0)
    assert add(application, [1.0, 2.0]).status == 200
    wait_until(printed.lines)
    assert printed.lines()[0]["ShadowErrors"] == [1]
    assert add(application, [1.0, 2.0]).version == 3
