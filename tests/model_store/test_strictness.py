"""Every key of every document: missing, of a wrong type, unknown. The message says which, where."""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any, Final

import pytest

from model_store.errors import DamagedError
from tests.support.documents import KINDS, PARSERS, as_json

if TYPE_CHECKING:
    from collections.abc import Iterator

Place = tuple[str | int, ...]

MAPPINGS: Final = {
    *("labels", "split", "versions", "holds", "preparations", "config", "chunks", "recorded"),
    "modules",
}
"""Objects whose keys are data: none of them is needed or unknown."""
NULLABLE: Final = {
    "retired_at",
    "sweep_after",
    "pipeline_file",
    "packages",
    "shape",
    "refused",
    "index_digest",
    "measurement",
    "replacement",
}


def _walk(value: Any, place: Place = ()) -> Iterator[tuple[Place, Any]]:
    yield place, value
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _walk(inner, (*place, key))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _walk(inner, (*place, number))


def _is_field(place: Place) -> bool:
    in_mapping = len(place) > 1 and place[-2] in MAPPINGS
    return bool(place) and isinstance(place[-1], str) and not in_mapping


def _at(document: Any, place: Place) -> Any:
    for key in place:
        document = document[key]
    return document


def _wrong_for(place: Place, value: Any) -> list[Any]:
    wrong: list[Any] = [{}, [], "text", 7, 7.5, True, None]
    if isinstance(value, dict | list | str | None):
        wrong = [other for other in wrong if type(other) is not type(value)]
        if value is None:
            instead: dict[str, Any] = {"shape": [], "measurement": {}}  # what may stand there
            wrong.remove(instead.get(str(place[-1]), "text"))
    elif isinstance(value, bool):
        wrong.remove(True)
    elif isinstance(value, int):
        wrong.remove(7)
        wrong.append(-1 if place[-1] != "version" else 0)
    else:
        wrong.remove(7)  # a number without a fraction is a number
        wrong.remove(7.5)
        wrong.append(-0.5)
    return [other for other in wrong if not (other is None and place[-1] in NULLABLE)]


FIELDS: Final = [
    (kind, place, value)
    for kind in KINDS
    for place, value in _walk(as_json(kind))
    if _is_field(place)
]
OBJECTS: Final = [
    (kind, place)
    for kind in KINDS
    for place, value in _walk(as_json(kind))
    if isinstance(value, dict) and not (place and place[-1] in MAPPINGS)
]


def _named(kind: str, place: Place) -> str:
    return f"{kind}:{'.'.join(map(str, place))}"


def _refusal(kind: str, document: Any) -> str:
    with pytest.raises(DamagedError) as caught:
        PARSERS[kind](json.dumps(document).encode(), f"<the {kind} document>")
    message = str(caught.value)
    assert f"<the {kind} document>" in message
    return message


@pytest.mark.parametrize(
    ("kind", "place"),
    [pytest.param(kind, place, id=_named(kind, place)) for kind, place, _ in FIELDS],
)
def test_a_missing_key_is_named(kind: str, place: Place) -> None:
    document = as_json(kind)
    del _at(document, place[:-1])[place[-1]]
    assert repr(place[-1]) in _refusal(kind, document)


@pytest.mark.parametrize(
    ("kind", "place", "value"),
    [pytest.param(*field, id=_named(field[0], field[1])) for field in FIELDS],
)
def test_a_value_of_a_wrong_type_is_refused_and_its_key_named(
    kind: str, place: Place, value: Any
) -> None:
    wrong_values = _wrong_for(place, value)
    assert len(wrong_values) > 2
    for wrong in wrong_values:
        document = as_json(kind)
        _at(document, place[:-1])[place[-1]] = wrong
        assert str(place[-1]) in _refusal(kind, document)


@pytest.mark.parametrize(
    ("kind", "place"), [pytest.param(*each, id=_named(*each)) for each in OBJECTS]
)
def test_an_unknown_key_is_named(kind: str, place: Place) -> None:
    document = as_json(kind)
    _at(document, place)["surprise"] = 1
    assert "surprise" in _refusal(kind, document)


@pytest.mark.parametrize(
    ("kind", "place"), [pytest.param(*each, id=_named(*each)) for each in OBJECTS if each[1]]
)
def test_what_should_be_an_object_and_is_none_is_refused(kind: str, place: Place) -> None:
    document = as_json(kind)
    _at(document, place[:-1])[place[-1]] = ["a list"]
    _refusal(kind, document)


@pytest.mark.parametrize("kind", KINDS)
def test_a_changed_copy_does_not_change_the_example(kind: str) -> None:
    before = copy.deepcopy(as_json(kind))
    as_json(kind).clear()
    assert as_json(kind) == before
