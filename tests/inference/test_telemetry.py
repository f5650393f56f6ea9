"""Output for CloudWatch: one line of metrics a call, and logs that name failures."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

from inference.telemetry import count_call, count_load, report_load
from tests.inference.lambda_process import run_on_lambda
from tests.support.calls import http_event
from tests.support.events import event_file
from tests.support.places import ROOT

if TYPE_CHECKING:
    from pathlib import Path

INFER = event_file("http_api_infer")


def failing(**query: str) -> dict[str, Any]:
    return http_event("POST", "/models/echo/predict", body=b"", query=query)


def dimensions(line: dict[str, Any]) -> list[list[str]]:
    (directive,) = line["_aws"]["CloudWatchMetrics"]
    assert directive["Namespace"] == "Coldpress"
    return [sorted(names) for names in directive["Dimensions"]]


@pytest.fixture(autouse=True)
def _metrics_are_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("POWERTOOLS_METRICS_DISABLED", raising=False)
    monkeypatch.delenv("POWERTOOLS_DEV", raising=False)


def test_each_call_is_one_line_of_metrics(surface_store: Path) -> None:
    events = [
        INFER,
        INFER,
        INFER | {"body": "{}"},
        failing(encode="raise"),
        http_event("GET", "/nowhere"),
        http_event("GET", "/v2/models/made-up-by-a-caller"),
    ]
    run = run_on_lambda(surface_store, events)
    assert [line["model"] for line in run.calls] == ["adder"] * 3 + ["echo", "none", "none"]
    assert [line["CallErrors"] for line in run.calls] == [[0], [0], [1], [1], [1], [1]]
    assert all(len(line["CallDuration"]) == 1 for line in run.calls)
    assert all(line["CallDuration"][0] > 0 for line in run.calls)


def test_metrics_have_two_dimensions_and_no_more(surface_store: Path) -> None:
    environ = {"POWERTOOLS_SERVICE_NAME": "theirs", "POWERTOOLS_METRICS_NAMESPACE": "Theirs"}
    run = run_on_lambda(surface_store, [INFER, failing(encode="raise")], environ)
    assert len(run.metrics) == 4
    for line in run.metrics:
        assert dimensions(line) == [["model", "service"]]
        assert line["service"] == "coldpress"


def test_each_load_is_a_line_of_metrics_and_one_of_log(surface_store: Path) -> None:
    broken = http_event("GET", "/v2/models/broken/ready")
    run = run_on_lambda(surface_store, [INFER, broken])
    loads = [line for line in run.metrics if "LoadDuration" in line]
    assert [(line["model"], line["LoadFailures"]) for line in loads] == [
        ("adder", [0]),
        ("broken", [1]),
    ]
    warm = next(line for line in run.logs if line["message"] == "a version is warm")
    assert (warm["level"], warm["model"], warm["version"]) == ("INFO", "adder", 3)
    assert warm["load_ms"] > 0
    failed = next(line for line in run.logs if line["message"] == "a version failed to load")
    assert (failed["level"], failed["model"], failed["version"]) == ("ERROR", "broken", 1)
    assert "is damaged" in failed["reason"]


@pytest.mark.parametrize(
    ("query", "function"), [({"decode": "raise"}, "decode"), ({"encode": "raise"}, "encode")]
)
def test_a_failed_pipelines_log_names_its_file_and_line(
    surface_store: Path, query: dict[str, str], function: str
) -> None:
    run = run_on_lambda(surface_store, [failing(**query)])
    assert [answer["statusCode"] for answer in run.answers] == [500]
    (log,) = [line for line in run.logs if line["message"] == "a call failed"]
    assert log["level"] == "ERROR"
    assert log["status"] == 500
    assert f"pipeline.py failed in {function}()" in log["reason"]
    trace = log["exception"]
    assert "/pipeline/pipeline.py" in trace
    assert "a secret key" in trace
    assert f"in {function}" in trace


def test_a_failure_is_logged_with_its_requests_id(surface_store: Path) -> None:
    event = failing(encode="raise")
    run = run_on_lambda(surface_store, [event])
    (log,) = [line for line in run.logs if line["message"] == "a call failed"]
    assert event["requestContext"]["requestId"] in json.dumps(log)


def test_what_is_the_callers_fault_is_not_logged(surface_store: Path) -> None:
    events = [INFER | {"body": "{}"}, http_event("GET", "/nowhere"), failing(decode="refuse")]
    run = run_on_lambda(surface_store, events)
    assert [line["message"] for line in run.logs] == ["a version is warm"] * 2


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_calls_of_different_models_do_not_mix(capsys: pytest.CaptureFixture[str]) -> None:
    count_call("one", 200, 1.5)
    count_load("two", 2.5, failed=True)
    count_call("two", 500, 3.5)
    one, load, two = lines(capsys)
    assert (one["model"], one["CallDuration"], one["CallErrors"]) == ("one", [1.5], [0])
    assert (load["model"], load["LoadDuration"], load["LoadFailures"]) == ("two", [2.5], [1])
    assert (two["model"], two["CallDuration"], two["CallErrors"]) == ("two", [3.5], [1])


@pytest.mark.parametrize(("status", "errors"), [(200, 0), (399, 0), (400, 1), (503, 1)])
def test_a_status_from_400_on_is_an_error(
    status: int, errors: int, capsys: pytest.CaptureFixture[str]
) -> None:
    count_call("one", status, 1.0)
    assert lines(capsys)[0]["CallErrors"] == [errors]


def test_with_metrics_off_nothing_is_printed_however_many_calls(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POWERTOOLS_METRICS_DISABLED", "true")
    for number in range(250):
        count_call(f"model-{number % 2}", 200, 1.0)
    assert capsys.readouterr().out == ""
    monkeypatch.delenv("POWERTOOLS_METRICS_DISABLED")
    count_call("one", 200, 7.0)
    assert [line["CallDuration"] for line in lines(capsys)] == [[7.0]]


THREADS, TURNS = 8, 1000

SEVERAL_THREADS = f"""
import sys
from inference.telemetry import count_call, count_load, report_load, logger
from tests.support.threads import at_once

sys.setswitchinterval(1e-5)

def report(number):
    name = f"model-{{number}}"
    for turn in range({TURNS}):
        match number % 4:
            case 0: count_load(name, turn, failed=False)
            case 1: logger.info("a version is warm", model=name, load_ms=turn)
            case _: count_call(name, 200, turn)

at_once({THREADS}, report)
"""


def test_several_threads_report_each_its_own_in_lines_of_their_own() -> None:
    # As happens when a version's load reports itself while calls go on.
    done = subprocess.run(
        [sys.executable, "-c", SEVERAL_THREADS],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        errors="replace",
        check=True,
    )
    reported = []
    for line in map(json.loads, done.stdout.splitlines()):
        (value,) = line.get("CallDuration") or line.get("LoadDuration") or [line.get("load_ms")]
        reported.append((line["model"], value))
    assert sorted(reported) == [
        (f"model-{n}", turn) for n in range(THREADS) for turn in range(TURNS)
    ]


def test_a_load_tells_what_its_warm_up_took(capsys: pytest.CaptureFixture[str]) -> None:
    report_load("adder", 1, time.perf_counter(), phases_ms={"session": 2.0, "warm_up": 3.0})
    report_load("adder", 2, time.perf_counter(), phases_ms={"session": 2.0})
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["WarmUpDuration"] for line in lines if "WarmUpDuration" in line] == [[3.0]]
