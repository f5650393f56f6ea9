"""Differences between two versions, from one to the other. Pure, except for reading files.

Each part lists the `added`, `removed` and `changed` entries, sorted by name. A changed entry is
shown as it is in `one` and in `other`.
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

_Entry = TypeVar("_Entry")


def signatures(one: Signature, other: Signature) -> dict[str, Any]:
    """Compare inputs and outputs, by name."""

    def side(first: Iterable[TensorSpec], second: Iterable[TensorSpec]) -> dict[str, Any]:
        by_name = {spec.name: spec for spec in first}, {spec.name: spec for spec in second}
        return _changes(*by_name, show=lambda spec: spec.to_json())

    return {
        "inputs": side(one.inputs, other.inputs),
        "outputs": side(one.outputs, other.outputs),
    }


def files(one: Iterable[FileEntry], other: Iterable[FileEntry]) -> dict[str, Any]:
    """Compare files, by path."""
    by_path = {entry.path: entry for entry in one}, {entry.path: entry for entry in other}
    return _changes(*by_path, show=lambda entry: entry.to_json())


def wheels(one: Iterable[Wheel], other: Iterable[Wheel]) -> dict[str, Any]:
    """Compare wheels, by name. A wheel is changed if its version or its bytes differ."""
    by_name = {wheel.name: wheel for wheel in one}, {wheel.name: wheel for wheel in other}
    return _changes(*by_name, show=lambda wheel: wheel.to_json())


def golden_cases(
    one: VersionContent, other: VersionContent, read_one: Read, read_other: Read
) -> dict[str, Any]:
    """Compare golden cases, by name.

    `request_changed` names the cases whose request differs. `expected_changed` lists the cases
    whose expected answer differs, each with the first difference. Numbers within the tolerance of
    `one` are equal.
    """
    common = [case for case in one.golden.cases if case in other.golden.cases]
    request_changed, expected_changed = [], []
    for case in common:
        request_one, expected_one = one.golden_files(case)
        request_other, expected_other = other.golden_files(case)
        if request_one != request_other:  # includes the path, which gives a pipeline the type
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
    """Return the expected answer to compare: without a pipeline, the outputs only."""
    try:
        expected = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise DamagedError(f"golden case {case!r}: expected.json is not JSON: {error}") from None
    if content.pipeline_file is None and isinstance(expected, dict):
        return expected.get("outputs")
    return expected


def _difference(one: Any, other: Any, content: VersionContent) -> str | None:
    # Imported here: the module imports numpy, which few verbs need.
    from inference.loading.golden_cases import compare  # noqa: PLC0415

    return compare(one, other, content.golden)


def _changes(
    one: Mapping[str, _Entry], other: Mapping[str, _Entry], show: Callable[[_Entry], dict[str, Any]]
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
