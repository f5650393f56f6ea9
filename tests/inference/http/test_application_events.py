from __future__ import annotations

import os
import platform
from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime
import pytest

from inference.http.application import Application
from inference.loading.loader import RUNTIME
from inference.settings import Settings
from model_store.layout import StoreLayout
from model_store.reading import read_store_id
from model_store.release import VERSION
from tests.support.calls import add, http_event
from tests.support.events import event_file
from tests.support.stores import point_latest

if TYPE_CHECKING:
    from pathlib import Path

PROBE = event_file("probe")


def test_construction_reads_nothing(tmp_path: Path) -> None:
    Application(Settings(tmp_path / "nowhere"))
    assert list(tmp_path.iterdir()) == []


def test_a_probe_tells_what_the_environment_is(application: Application, store: Path) -> None:
    assert application(PROBE, None) == {
        "coldpress": VERSION,
        "python": platform.python_version(),
        "onnxruntime": onnxruntime.__version__,
        "numpy": np.__version__,
        "runtime": RUNTIME,
        "settings": Settings(store, ref_ttl_s=0.0).describe(),
        "store_ids": [],
        "generations": {},
        "published": ["adder"],
        "environment": {"used_bytes": 0, "budget_bytes": None, "models": {}},
    }


def test_a_probe_tells_what_was_seen(application: Application, store: Path) -> None:
    add(application, [1.0, 2.0])
    point_latest(store, 1)
    add(application, [1.0, 2.0])
    probed = application(PROBE, None)
    assert probed["store_ids"] == [read_store_id(StoreLayout(store))]
    assert probed["generations"] == {"adder": 4}
    held = probed["environment"]["models"]["adder"]
    assert held["warm"][3] > 0
    assert held["staleness_s"] >= 0
    assert (held["generation"], held["refs_error"], held["quarantined"]) == (4, None, [])
    assert probed["environment"]["used_bytes"] > 0


def test_a_probe_of_a_missing_store_says_so(tmp_path: Path) -> None:
    probed = Application(Settings(tmp_path / "nowhere"))(PROBE, None)
    assert "there is no store at" in probed["published"]["error"]


OTHERS: dict[str, Any] = {
    "nothing": {},
    "REST API": event_file("rest_api"),
    "S3": event_file("s3_put"),
    "a schedule": event_file("scheduled"),
    "another probe": {"coldpress": "prob"},
    "a version only": {"version": "2.0"},
    "an authorizer's": {"version": "2.0", "type": "REQUEST"},
    "version 2": http_event("GET", "/v2") | {"version": 2.0},
}


@pytest.mark.parametrize("event", OTHERS.values(), ids=OTHERS)
def test_an_event_that_is_neither_http_nor_a_probe_is_refused(
    application: Application, event: dict[str, Any]
) -> None:
    with pytest.raises(ValueError, match=r"HTTP API events \(payload format 2\.0\) and the probe"):
        application(event, None)


def test_an_event_is_left_as_it_was(application: Application) -> None:
    event = event_file("http_api_infer")
    application(event, None)
    assert event == event_file("http_api_infer")


def test_the_settings_are_not_read_from_the_environment_again(
    application: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STORE_PATH", "/nowhere")
    monkeypatch.setenv("DEFAULT_MODEL", "other")
    assert add(application, [1.0, 2.0]).status == 200
    assert os.environ["STORE_PATH"] == "/nowhere"
