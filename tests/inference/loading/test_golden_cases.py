from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from inference.errors import GoldenCaseError
from inference.loading.golden_cases import run_golden_case, run_golden_cases
from inference.loading.loader import load_version
from inference.pipeline import load_pipeline
from model_store.digests import Digest
from model_store.errors import DamagedError
from model_store.files import FileEntry
from model_store.layout import StoreLayout
from model_store.version import GoldenCases, VersionContent
from tests.support.damage import flip_a_byte
from tests.support.models import adder_request
from tests.support.stores import ADDER, STEP, entry_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from inference.loading.loaded_version import LoadedVersion

Files = dict[str, bytes]
REQUEST = json.dumps(adder_request([1.0, 2.0])).encode()
OUTPUTS = [{"name": "y", "datatype": "FP32", "shape": [1, 2], "data": [1 + STEP, 2 + STEP]}]


@pytest.fixture(scope="module")
def adder(published: Path) -> LoadedVersion:
    layout = StoreLayout(published)
    return load_version(layout, ADDER, 1, entry_of(published, 1))


def with_pipeline(adder: LoadedVersion, encode: str, decode: str = "X") -> LoadedVersion:
    code = f"""
import numpy
from inference.pipeline import Response
X = {{"x": numpy.ones((1, 2), numpy.float32)}}
def decode(request):
    return {decode}
def encode(outputs, request):
    return {encode}
"""
    return adder._replace(pipeline=load_pipeline(code.encode(), Path("/pipeline.py"), "golden"))


def content_of(folder: Path, files: Files, cases: tuple[str, ...] = ("one",)) -> VersionContent:
    entries = []
    for path, data in sorted(files.items()):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
        entries.append(FileEntry(path, len(data), Digest.of_bytes(data)))
    golden = GoldenCases(cases, rtol=1e-5, atol=1e-6)
    return VersionContent(tuple(entries), "source/model.onnx", None, golden, packages=None)


def case(request: bytes, expected: Any, *, name: str = "one", kind: str = "json") -> Files:
    expected = expected if isinstance(expected, bytes) else json.dumps(expected).encode()
    return {
        f"golden/{name}/request.{kind}": request,
        f"golden/{name}/expected.json": expected,
    }


def run(loaded: LoadedVersion, folder: Path, files: Mapping[str, bytes]) -> None:
    run_golden_case(loaded, folder, content_of(folder, dict(files)), "one")


def refusal(loaded: LoadedVersion, folder: Path, files: Mapping[str, bytes]) -> str:
    with pytest.raises(GoldenCaseError) as caught:
        run(loaded, folder, files)
    message = str(caught.value)
    assert "golden case 'one'" in message
    assert "\n" not in message
    return message


@pytest.mark.parametrize("expected", [{"outputs": OUTPUTS}, OUTPUTS, {"id": 5, "outputs": OUTPUTS}])
def test_without_a_pipeline_the_outputs_are_compared(
    adder: LoadedVersion, tmp_path: Path, expected: Any
) -> None:
    run(adder, tmp_path, case(REQUEST, expected))


@pytest.mark.parametrize("expected", [{"outputs": []}, [], {}, None, 5, {"output": OUTPUTS}])
def test_without_a_pipeline_other_outputs_are_wrong(
    adder: LoadedVersion, tmp_path: Path, expected: Any
) -> None:
    assert "is answered wrongly: $ is" in refusal(adder, tmp_path, case(REQUEST, expected))


def test_a_wrong_number_is_named(adder: LoadedVersion, tmp_path: Path) -> None:
    wrong = [OUTPUTS[0] | {"data": [1 + STEP, 3 + STEP]}]
    message = refusal(adder, tmp_path, case(REQUEST, wrong))
    assert message.endswith("is answered wrongly: $[0].data[1] is 102.0, expected 103.0")


@pytest.mark.parametrize("request_body", [b"", b"{}", b"no JSON", b'{"inputs": []}'])
def test_a_request_that_is_refused_fails_its_case(
    adder: LoadedVersion, tmp_path: Path, request_body: bytes
) -> None:
    assert "'one' fails: " in refusal(adder, tmp_path, case(request_body, OUTPUTS))


ANSWERS = {
    "JSON": ("{'n': len(request.body), 't': request.content_type}", {"n": 2, "t": "text/plain"}),
    "text": ("request.body.decode()", "hi"),
    "text of its own": ("Response('<hi>', 'text/html')", "<hi>"),
    "JSON bytes of its own": ("Response(b'[1]', 'application/json')", [1]),
    "JSON with a charset": ("Response('[1]', 'application/json; charset=utf-8')", [1]),
    "arrays": ("outputs", {"y": [[1 + STEP, 1 + STEP]]}),
}


@pytest.mark.parametrize(("encode", "expected"), ANSWERS.values(), ids=ANSWERS)
def test_with_a_pipeline_its_answer_is_compared(
    adder: LoadedVersion, tmp_path: Path, encode: str, expected: Any
) -> None:
    loaded = with_pipeline(adder, encode)
    run(loaded, tmp_path, case(b"hi", expected, kind="txt"))
    refusal(loaded, tmp_path, case(b"hi", "something else", kind="txt"))


FAILING = {
    "decode refuses": ("1", "int('x')", "fails: the input was refused: invalid literal"),
    "decode fails": ("1", "{}['x']", "fails: pipeline.py failed in decode()"),
    "encode fails": ("{}['x']", "X", "fails: pipeline.py failed in encode()"),
    "it does not fit the graph": ("1", "{}", "fails: decode() does not fit the model"),
    "a binary answer": ("b'\\0'", "X", "the answer is binary"),
    "JSON that is none": ("Response('{', 'application/json')", "X", "JSON"),
}


@pytest.mark.parametrize(("encode", "decode", "said"), FAILING.values(), ids=FAILING)
def test_a_pipeline_that_fails_fails_its_case(
    adder: LoadedVersion, tmp_path: Path, encode: str, decode: str, said: str
) -> None:
    loaded = with_pipeline(adder, encode, decode)
    assert said in refusal(loaded, tmp_path, case(b"hi", 1, kind="bin"))


def test_what_was_expected_must_be_json(adder: LoadedVersion, tmp_path: Path) -> None:
    message = refusal(adder, tmp_path, case(REQUEST, b"{"))
    assert "expected.json is not JSON" in message


def test_the_first_case_that_fails_is_named(adder: LoadedVersion, tmp_path: Path) -> None:
    files = case(REQUEST, OUTPUTS, name="right") | case(REQUEST, [], name="wrong")
    content = content_of(tmp_path, files, ("right", "wrong"))
    with pytest.raises(GoldenCaseError, match="golden case 'wrong' is answered wrongly"):
        run_golden_cases(adder, tmp_path, content)
    run_golden_cases(adder, tmp_path, content_of(tmp_path, files, ("right",)))


@pytest.mark.parametrize("name", ["request.json", "expected.json"])
def test_a_damaged_case_is_not_run(adder: LoadedVersion, tmp_path: Path, name: str) -> None:
    content = content_of(tmp_path, case(REQUEST, OUTPUTS))
    flip_a_byte(tmp_path / "golden/one" / name)
    with pytest.raises(DamagedError, match=name):
        run_golden_case(adder, tmp_path, content, "one")
