"""Counts of an environment's calls and loads, and the places that report them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from inference.serving.stats import BOUNDS_MS, Stats
from tests.support.calls import add, get, infer
from tests.support.damage import flip_a_byte
from tests.support.models import adder_request
from tests.support.stores import ADDER, commit, point_latest, version_folder
from tests.support.threads import at_once
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from inference.http.application import Application


def stats(application: Application, place: str = ADDER) -> list[dict[str, Any]]:
    answer = get(application, f"/v2/models/{place}/stats")
    assert answer.status == 200
    found: list[dict[str, Any]] = answer.json["model_stats"]
    return found


def test_nothing_is_counted_before_a_call(application: Application) -> None:
    assert stats(application) == []
    assert get(application, "/v2/models/stats").json == {"model_stats": []}


def test_calls_are_counted_by_version_those_that_fail_apart(application: Application) -> None:
    for _ in range(3):
        add(application, [1.0, 2.0])
    infer(application, {"inputs": []})
    add(application, [1.0, 2.0], version=1)
    first, third = stats(application)
    assert (first["version"], third["version"]) == ("1", "3")
    assert first["inference_count"] == first["inference_stats"]["success"]["count"] == 1
    assert third["inference_count"] == 3
    assert third["inference_stats"]["fail"]["count"] == 1
    assert third["inference_stats"]["success"]["ns"] > 0
    assert third["last_inference"] > 0
    assert third["latency_ms"]["count"] == 4
    assert third["bytes"] > 0
    assert third["staleness_s"] == 0.0
    assert (third["loads"], third["load_failures"]) == (1, 0)


def test_what_runs_nothing_is_no_inference(application: Application) -> None:
    get(application, f"/v2/models/{ADDER}")
    get(application, f"/v2/models/{ADDER}/ready")
    [only] = stats(application)
    assert (only["loads"], only["inference_count"], only["latency_ms"]["count"]) == (1, 0, 0)


@pytest.mark.parametrize("place", ["adder/versions/1", "adder/labels/stable"])
def test_one_version_is_told_by_its_number_or_its_label(
    application: Application, store: Path, place: str
) -> None:
    commit(store, ADDER, lambda refs: refs._replace(labels={**refs.labels, "stable": 1}))
    add(application, [1.0, 2.0])
    add(application, [1.0, 2.0], version=1)
    assert [each["version"] for each in stats(application, place)] == ["1"]
    assert len(get(application, "/v2/models/stats").json["model_stats"]) == 2


def test_a_swap_and_a_failed_load_are_counted(application: Application, store: Path) -> None:
    add(application, [1.0, 2.0])
    point_latest(store, 1)
    wait_until(lambda: add(application, [1.0, 2.0]).version == 1)
    flip_a_byte(version_folder(store, 2) / "source/model.onnx")
    assert add(application, [1.0, 2.0], version=2).status == 503
    first, second, third = stats(application)
    assert [each["swaps"] for each in (first, second, third)] == [1, 0, 0]
    assert [each["load_failures"] for each in (first, second, third)] == [0, 1, 0]


def test_an_unknown_model_has_no_stats(application: Application) -> None:
    assert get(application, "/v2/models/nosuch/stats").status == 404
    assert get(application, f"/v2/models/{ADDER}/versions/9/stats").status == 404


def test_counting_in_many_threads_loses_nothing(application: Application) -> None:
    at_once(8, lambda _: [infer(application, adder_request([1.0, 2.0])) for _ in range(25)])
    [only] = stats(application)
    assert only["inference_count"] == only["latency_ms"]["count"] == 200


def test_the_histogram_counts_each_call_in_every_bucket_that_it_fits() -> None:
    counts = Stats()
    for ms in (0.5, 1.0, 1.001, 9_999.0, 10_000.0, 10_000.001):
        counts.call("m", 1, int(ms * 1e6), failed=False)
    [only] = counts.describe()
    latency = only["latency_ms"]
    assert (latency["le_1"], latency["le_2"], latency["le_5000"]) == (2, 3, 3)
    assert (latency["le_10000"], latency["count"]) == (5, 6)
    assert len(latency) == len(BOUNDS_MS) + 1


def test_a_model_that_is_gone_is_forgotten() -> None:
    counts = Stats()
    counts.call("m", 1, 1, failed=False)
    counts.call("n", 1, 1, failed=False)
    counts.forget("m")
    assert [each["name"] for each in counts.describe()] == ["n"]
