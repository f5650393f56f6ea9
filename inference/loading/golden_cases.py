"""Golden cases: requests whose correct answers were published with the version.

A case is a folder, `golden/<case>/`, with one `request.*` and an `expected.json`. If the version
has a pipeline, the pipeline gets the request's bytes and `expected.json` is its answer. If not,
`request.json` is an Open Inference Protocol request and `expected.json` holds the response's
`outputs`. Numbers may differ by `atol + rtol * |expected|`; everything else must be equal.
"""

from __future__ import annotations

import json
import mimetypes
import time
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from inference.errors import GoldenCaseError, ServingError
from inference.pipeline import Request
from inference.protocol.json_codec import read
from inference.protocol.requests import parse_infer_request
from inference.protocol.responses import render_infer_body
from model_store.files import read_checked

if TYPE_CHECKING:
    from pathlib import Path

    from inference.loading.loaded_version import LoadedVersion
    from model_store.files import FileEntry
    from model_store.version import GoldenCases, VersionContent


def try_out(loaded: LoadedVersion) -> LoadedVersion:
    """Run a version's golden cases, if any, and return it with their time as phase `warm_up`.

    Raises GoldenCaseError, or DamagedError for a damaged file.
    """
    if not loaded.content.golden.cases:
        return loaded
    started = time.perf_counter()
    run_golden_cases(loaded, loaded.folder, loaded.content)
    took_ms = (time.perf_counter() - started) * 1e3
    return loaded._replace(phases_ms={**loaded.phases_ms, "warm_up": took_ms})


def run_golden_cases(loaded: LoadedVersion, folder: Path, content: VersionContent) -> None:
    """Run all cases of a version in `folder`; raises GoldenCaseError for the first that fails."""
    for case in content.golden.cases:
        run_golden_case(loaded, folder, content, case)


def run_golden_case(
    loaded: LoadedVersion, folder: Path, content: VersionContent, case: str
) -> None:
    """Run one case and compare its answer.

    Raises GoldenCaseError, or DamagedError for a damaged file.
    """
    request_entry, expected_entry = content.golden_files(case)
    request = _request(folder, request_entry)
    expected_bytes = read_checked(folder, expected_entry)
    try:
        expected = json.loads(expected_bytes)
    except ValueError as error:
        raise GoldenCaseError(f"golden case {case!r}: expected.json is not JSON: {error}") from None
    try:
        actual = _answer(loaded, request)
    except ServingError as error:
        cause = getattr(error, "cause", None)
        because = f": {cause}" if cause else ""
        raise GoldenCaseError(f"golden case {case!r} fails: {error}{because}") from error
    if loaded.pipeline is None:
        expected = expected.get("outputs") if isinstance(expected, dict) else expected
    difference = compare(expected, actual, content.golden)
    if difference:
        raise GoldenCaseError(f"golden case {case!r} is answered wrongly: {difference}")


def request_of(folder: Path, content: VersionContent, case: str) -> Request:
    """Return a golden case's request as the pipeline gets it; raises DamagedError."""
    return _request(folder, content.golden_files(case)[0])


def compare(expected: Any, actual: Any, tolerance: GoldenCases, where: str = "$") -> str | None:
    """Describe the first difference between two JSON values; None if they agree.

    `where` is the JSONPath of the values. The description is one line, whatever the keys contain.
    """
    if _is_number(expected) and _is_number(actual):
        if _is_close(expected, actual, tolerance):
            return None
        return f"{where} is {_short(actual)}, expected {_short(expected)}"
    if isinstance(expected, dict) and isinstance(actual, dict) and expected.keys() == actual.keys():
        pairs = [(expected[key], actual[key], where + _step(key)) for key in expected]
    elif isinstance(expected, list) and isinstance(actual, list) and len(expected) == len(actual):
        pairs = [
            (e, a, f"{where}[{i}]") for i, (e, a) in enumerate(zip(expected, actual, strict=True))
        ]
    elif type(expected) is type(actual) and expected == actual:
        return None
    else:
        return f"{where} is {_short(actual)}, expected {_short(expected)}"
    for inner_expected, inner_actual, inner_where in pairs:
        difference = compare(inner_expected, inner_actual, tolerance, inner_where)
        if difference:
            return difference
    return None


def _answer(loaded: LoadedVersion, request: Request) -> Any:
    if loaded.pipeline is None:
        infer_request = parse_infer_request(request.body, loaded.signature)
        outputs = loaded.run(infer_request.tensors, infer_request.outputs)
        answer, _ = render_infer_body(outputs, model=loaded.model, version=loaded.number)
        return read(answer)["outputs"]
    response = loaded.predict(request)
    if response.content_type.startswith("application/json"):
        try:
            return json.loads(response.body)
        except ValueError as error:
            raise GoldenCaseError(
                f"the answer's content type is JSON, but its body is not: {error}"
            ) from None
    if isinstance(response.body, bytes):
        raise GoldenCaseError("the answer is binary; expected.json can hold only JSON or text")
    return response.body


def _request(folder: Path, entry: FileEntry) -> Request:
    kind = mimetypes.guess_type(PurePosixPath(entry.path).name)[0] or "application/octet-stream"
    return Request(read_checked(folder, entry), kind)


def _is_close(expected: float, actual: float, tolerance: GoldenCases) -> bool:
    if expected == actual:
        return True
    try:
        return abs(actual - expected) <= tolerance.atol + tolerance.rtol * abs(expected)
    except OverflowError:  # an integer too large for a float
        return False


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _step(key: str) -> str:
    """Return one object key as a JSONPath step, quoted unless it is an identifier."""
    return f".{key}" if key.isidentifier() else f"[{_short(key)}]"


def _short(value: object) -> str:
    text = json.dumps(value, default=repr)
    return text if len(text) <= 120 else text[:117] + "..."
