"""What differs between two versions, from one to the other. Pure, but for how a file is read.

Each part says what was `added`, `removed` and `changed`, by name; a changed thing is shown as it is
in `one` and in `other`.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, TypeVar

from model_store.errors import DamagedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from model_store.files import FileEntry
    from model_store.package_set import Wheel
    from model_store.signature import Signature, TensorSpec
    from model_store.version import VersionContent

    Read = Callable[[FileEntry], bytes]

_Thing = TypeVar("_Thing")


def signatures(one: Signature, other: Signature) -> dict[str, Any]:
    """Inputs and outputs, by name."""

    def side(first: Iterable[TensorSpec], second: Iterable[TensorSpec]) -> dict[str, Any]:
        by_name = {spec.name: spec for spec in first}, {spec.name: spec for spec in second}
        return _changes(*by_name, show=lambda spec: spec.to_json())

    return {
        "inputs": side(one.inputs, other.inputs),
        "outputs": side(one.outputs, other.outputs),
    }


def files(one: Iterable[FileEntry], other: Iterable[FileEntry]) -> dict[str, Any]:
    """Files, by path."""
    by_path = {entry.path: entry for entry in one}, {entry.path: entry for entry in other}
    return _changes(*by_path, show=lambda entry: entry.to_json())


def wheels(one: Iterable[Wheel], other: Iterable[Wheel]) -> dict[str, Any]:
    """Wheels, by name: of another version, or of the same and with other bytes."""
    by_name = {wheel.name: wheel for wheel in one}, {wheel.name: wheel for wheel in other}
    return _changes(*by_name, show=lambda wheel: wheel.to_json())


def golden_cases(
    one: VersionContent, other: VersionContent, read_one: Read, read_other: Read
) -> dict[str, Any]:
    """Golden cases, by name.

    `request_changed` names cases that ask something else. `expected_changed` says of each case that
    expects another answer what its first difference is, by the tolerance of `one`: numbers that
    differ within it are the same answer.
    """
    common = [case for case in one.golden.cases if case in other.golden.cases]
    request_changed, expected_changed = [], []
    for case in common:
        request_one, expected_one = one.golden_files(case)
        request_other, expected_other = other.golden_files(case)
        if request_one != request_other:  # its path, too: a pipeline is told the type by it
            request_changed.append(case)
        if expected_one != expected_other:
            answer_one = _answer(one, read_one(expected_one), case)
            answer_other = _answer(other, read_other(expected_other), case)
            difference = _difference(answer_one, answer_other, one)
            if difference:
                expected_changed.append({"case": case, "difference": difference})
    return {
        "added": sorted(set(other.golden.cases) - set(one.golden.cases)),
        "removed": sorted(set(one.golden.cases) - set(other.golden.cases)),
        "request_changed": request_changed,
        "expected_changed": expected_changed,
        "tolerance": {
            "one": {"rtol": one.golden.rtol, "atol": one.golden.atol},
            "other": {"rtol": other.golden.rtol, "atol": other.golden.atol},
        },
    }


def _answer(content: VersionContent, data: bytes, case: str) -> Any:
    """The answer that a case expects, as golden.py compares it: without a pipeline, the outputs."""
    try:
        expected = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise DamagedError(f"golden case {case!r}: expected.json is not JSON: {error}") from None
    if content.pipeline_file is None and isinstance(expected, dict):
        return expected.get("outputs")
    return expected


def _difference(one: Any, other: Any, content: VersionContent) -> str | None:
    # Imported here: it brings numpy, and most verbs compare nothing.
    from inference.loading.golden_cases import compare  # noqa: PLC0415

    return compare(one, other, content.golden)


def _changes(
    one: Mapping[str, _Thing], other: Mapping[str, _Thing], show: Callable[[_Thing], dict[str, Any]]
) -> dict[str, Any]:
    return {
        "added": [show(other[name]) for name in sorted(set(other) - set(one))],
        "removed": [show(one[name]) for name in sorted(set(one) - set(other))],
        "changed": [
            {"one": show(one[name]), "other": show(other[name])}
            for name in sorted(set(one) & set(other))
            if one[name] != other[name]
        ],
    }
