"""Differences between two versions of a model are reported, and nothing else."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from onnx import TensorProto

from model_store.errors import DamagedError, NotFoundError
from model_store.signature import Signature, TensorSpec
from model_sync.admin import differences
from model_sync.errors import ChangeError, RequestError
from model_sync.progress import Silent
from model_sync.publishing.publish import publish
from tests.model_sync.rich_store import ADDER, GREETER, ask, opened, version_path
from tests.support.model_folders import write_full
from tests.support.models import adder_request, write_adder, write_identity
from tests.support.packaged_models import write_greeter
from tests.support.snapshots import snapshot
from tests.support.wheels import offer_wheels

if TYPE_CHECKING:
    from pathlib import Path

    from model_store.layout import StoreLayout

NOTHING: dict[str, list[Any]] = {"added": [], "removed": [], "changed": []}


def compared(root: Path, one: int, other: int, model: str = ADDER) -> dict[str, Any]:
    return ask(root, "diff", model=model, one=one, other=other)


def publish_cases(
    layout: StoreLayout, folder: Path, cases: dict[str, tuple[Any, Any]], rtol: float = 0.0
) -> int:
    write_full(folder / "cases", 2, cases=cases, more=f"rtol = {rtol}\natol = 0.0\n")
    return publish(folder / "cases", layout.root, progress=Silent()).version


def test_a_version_and_itself_do_not_differ(rich: StoreLayout) -> None:
    before = snapshot(rich.root)
    found = compared(rich.root, 2, 2)
    assert found["signature"] == {"inputs": NOTHING, "outputs": NOTHING}
    assert found["files"] == NOTHING
    assert found["golden"] | {"tolerance": None} == {
        "added": [],
        "removed": [],
        "request_changed": [],
        "expected_changed": [],
        "tolerance": None,
    }
    assert found["packages"] == {"one": None, "other": None, **NOTHING}
    for sides in found["measurements"].values():
        assert sides["one"] == sides["other"]
    assert snapshot(rich.root) == before


def test_files_are_told_by_path_with_their_sizes_and_digests(rich: StoreLayout) -> None:
    found = compared(rich.root, 1, 2)
    added = [each["path"] for each in found["files"]["added"]]
    assert added == [
        "golden/one/expected.json",
        "golden/one/request.json",
        "pipeline/pipeline.py",
    ]
    (graph,) = found["files"]["changed"]
    assert graph["one"]["path"] == graph["other"]["path"] == "source/model.onnx"
    assert graph["one"]["digest"] != graph["other"]["digest"]
    size = (version_path(rich.root, 1) / "source" / "model.onnx").stat().st_size
    assert graph["one"]["size_bytes"] == found["size_bytes"]["one"] == size
    assert found["files"]["removed"] == []
    back = compared(rich.root, 2, 1)["files"]
    assert [each["path"] for each in back["removed"]] == added
    assert back["added"] == []


def test_inputs_and_outputs_are_told_by_name(rich: StoreLayout, tmp_path: Path) -> None:
    write_identity(tmp_path / ADDER, TensorProto.INT64, shape=["any", 3])
    number = publish(tmp_path / ADDER, rich.root, progress=Silent(), label="other").version
    found = compared(rich.root, 1, number)["signature"]
    (x,) = found["inputs"]["changed"]
    assert x["one"] == {"name": "x", "datatype": "FP32", "shape": [-1, 2]}
    assert x["other"]["datatype"] == "INT64"
    a, b, c = (TensorSpec(name, "FP32", (1,)) for name in "abc")
    wide = TensorSpec("b", "FP32", (2,))
    told = differences.signatures(Signature((a, b), (c,)), Signature((wide, c), (c,)))
    assert told["inputs"] == {
        "added": [c.to_json()],
        "removed": [a.to_json()],
        "changed": [{"one": b.to_json(), "other": wide.to_json()}],
    }
    assert told["outputs"] == NOTHING


def test_golden_cases_are_told_by_what_changed_of_them(rich: StoreLayout, tmp_path: Path) -> None:
    y = {"a": [3.0, 4.0], "b": [5.0, 6.0]}
    one = publish_cases(
        rich,
        tmp_path / "one",
        {
            "same": ([1.0, 2.0], {"y": y["a"]}),
            "gone": ([1.0, 2.0], {"y": y["a"]}),
            "asks-other": ([1.0, 2.0], {"y": y["a"]}),
        },
    )
    other = publish_cases(
        rich,
        tmp_path / "other",
        {
            "same": ([1.0, 2.0], {"y": y["a"]}),
            "new": ([1.0, 2.0], {"y": y["a"]}),
            "asks-other": ([3.0, 4.0], {"y": y["b"]}),
        },
    )
    golden = compared(rich.root, one, other, "cases")["golden"]
    assert golden["added"] == ["new"]
    assert golden["removed"] == ["gone"]
    assert golden["request_changed"] == ["asks-other"]
    assert golden["expected_changed"] == [
        {"case": "asks-other", "difference": "$.y[0] is 5.0, expected 3.0"}
    ]


@pytest.mark.parametrize(("rtol", "differs"), [(0.0, True), (0.1, False)])
def test_answers_that_the_tolerance_of_the_first_takes_for_equal_do_not_differ(
    rich: StoreLayout, tmp_path: Path, rtol: float, differs: bool
) -> None:
    one = publish_cases(rich, tmp_path / "one", {"c": ([1.0, 2.0], {"y": [3.0, 4.0]})}, rtol)
    other = publish_cases(rich, tmp_path / "other", {"c": ([1.0, 2.0], {"y": [3.0, 4.1]})}, 0.5)
    golden = compared(rich.root, one, other, "cases")["golden"]
    expected = [{"case": "c", "difference": "$.y[1] is 4.1, expected 4.0"}]
    assert golden["expected_changed"] == (expected if differs else [])
    assert golden["tolerance"]["one"] == {"rtol": rtol, "atol": 0.0}
    assert golden["tolerance"]["other"] == {"rtol": 0.5, "atol": 0.0}


def test_without_a_pipeline_answers_differ_by_their_outputs_alone(
    rich: StoreLayout, tmp_path: Path
) -> None:
    numbers = []
    for constant, id_ in ((1.0, "a"), (1.0, "b"), (2.0, "b")):
        folder = write_adder(tmp_path / f"{constant}-{id_}" / "cases", constant).parent
        case = folder / "golden" / "c"
        case.mkdir(parents=True)
        (case / "request.json").write_text(json.dumps(adder_request([1.0, 2.0])))
        data = [1.0 + constant, 2.0 + constant]
        output = {"name": "y", "datatype": "FP32", "shape": [1, 2], "data": data}
        (case / "expected.json").write_text(json.dumps({"id": id_, "outputs": [output]}))
        recipe = '[model]\nfile = "model.onnx"\n[golden]\nfolder = "golden"\n'
        (folder / "model.toml").write_text(recipe)
        numbers.append(publish(folder, rich.root, progress=Silent()).version)
    one, other, third = numbers
    same = compared(rich.root, one, other, "cases")
    assert [each["one"]["path"] for each in same["files"]["changed"]] == ["golden/c/expected.json"]
    assert same["golden"]["expected_changed"] == []
    assert compared(rich.root, other, third, "cases")["golden"]["expected_changed"] == [
        {"case": "c", "difference": "$[0].data[0] is 3.0, expected 2.0"}
    ]


def test_wheels_are_told_by_name(
    rich: StoreLayout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheels = tmp_path / "wheels"
    offer_wheels(monkeypatch, wheels)
    folder = write_greeter(tmp_path / GREETER, wheels, "greeting", version="2.0")
    publish(folder, rich.root, progress=Silent())
    packages = compared(rich.root, 1, 2, GREETER)["packages"]
    (changed,) = packages["changed"]
    assert (changed["one"]["version"], changed["other"]["version"]) == ("1.0", "2.0")
    assert packages["one"] != packages["other"]
    folder = write_greeter(tmp_path / "again" / GREETER, wheels, "salutation")
    publish(folder, rich.root, progress=Silent())
    packages = compared(rich.root, 2, 3, GREETER)["packages"]
    assert [wheel["name"] for wheel in packages["added"]] == ["salutation"]
    assert [wheel["name"] for wheel in packages["removed"]] == ["greeting"]


def test_measurements_stand_side_by_side(rich: StoreLayout) -> None:
    ((_, sides),) = compared(rich.root, 1, 2)["measurements"].items()
    shown = ask(rich.root, "show", model=f"{ADDER}@1")["preparations"]
    ((_, prepared),) = shown.items()
    assert sides["one"] == {"variant": "plain", **prepared["variants"][0]["measurement"]}
    assert sides["other"] != sides["one"]


def test_a_version_without_a_preparation_has_no_measurement(rich: StoreLayout) -> None:
    opened(rich.root).change(
        ADDER,
        lambda refs: refs._replace(
            versions={**refs.versions, 1: refs.versions[1]._replace(preparations={})}
        ),
        verb="test",
        reason="",
    )
    ((_, sides),) = compared(rich.root, 1, 2)["measurements"].items()
    assert sides["one"] is None
    assert sides["other"]["variant"] == "plain"


def test_what_cannot_be_compared_is_refused_in_one_line(rich: StoreLayout) -> None:
    for model, one, kind, text in (
        (ADDER, 3, ChangeError, "version 3 of 'adder' is deleted: there is nothing left to"),
        (ADDER, 9, ChangeError, "'adder' has no version 9: there are 1, 2, 3, 4"),
        ("none", 1, NotFoundError, "no model is named 'none'"),
        (ADDER, 0, RequestError, "'one' is 0: expected a number"),
    ):
        with pytest.raises(kind, match=text) as caught:
            compared(rich.root, one, 2, model)
        assert "\n" not in str(caught.value)


def test_a_damaged_answer_is_not_compared(rich: StoreLayout, tmp_path: Path) -> None:
    one = publish_cases(rich, tmp_path / "one", {"c": ([1.0, 2.0], {"y": [3.0, 4.0]})})
    other = publish_cases(rich, tmp_path / "other", {"c": ([1.0, 3.0], {"y": [3.0, 5.0]})})
    path = version_path(rich.root, one, "cases") / "golden" / "c" / "expected.json"
    path.write_text(json.dumps({"y": [3.0, 9.0]}))
    with pytest.raises(DamagedError, match=r"expected.json is damaged"):
        compared(rich.root, one, other, "cases")
