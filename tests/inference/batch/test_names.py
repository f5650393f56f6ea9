from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.batch.errors import EventError
from inference.batch.keys import (
    MAX_KEY_BYTES,
    OutputKeys,
    content_type_of,
    is_json_lines,
    output_keys,
    split_key,
)


@pytest.mark.parametrize(
    ("key", "model", "name"),
    [
        ("magika/a.png", "magika", "a.png"),
        ("magika/2026/grüße an alle/1+1.txt", "magika", "2026/grüße an alle/1+1.txt"),
        ("magika//a", "magika", "/a"),
        ("magika/folder/", "magika", "folder/"),
    ],
)
def test_the_first_component_of_a_key_is_the_model(key: str, model: str, name: str) -> None:
    assert split_key(key) == (model, name)


@pytest.mark.parametrize(
    "key", ["a.png", "magika/", "magika", "", "/a", "../a", "Magika/a", "a b/c"]
)
def test_a_key_that_names_no_model_is_refused(key: str) -> None:
    with pytest.raises(EventError, match="names no model"):
        split_key(key)


def test_outputs_lie_under_model_and_version() -> None:
    assert output_keys("magika", 3, "2026/a.jsonl") == OutputKeys(
        "magika/3/2026/a.jsonl.out",
        "magika/3/2026/a.jsonl.errors.jsonl",
        "magika/3/2026/a.jsonl.summary.json",
    )


def test_a_key_whose_outputs_s3_would_refuse_is_refused_before_any_work() -> None:
    room = MAX_KEY_BYTES - len("magika/3/.summary.json")
    output_keys("magika", 3, "x" * room)
    with pytest.raises(EventError, match="too long"):
        output_keys("magika", 3, "x" * (room - 1) + "ü")


@given(st.lists(st.text("ab./", min_size=1, max_size=12).map(lambda t: t + ".out"), min_size=2))
def test_no_two_inputs_share_an_output(names: list[str]) -> None:
    names = [each for name in set(names) for each in (name, name.removesuffix(".out") or "a")]
    keys = [output_keys("m", 1, name) for name in sorted(set(names))]
    outputs = [key for each in keys for key in (each.answers, each.errors, each.summary)]
    assert len(outputs) == len(set(outputs))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.jsonl", True),
        ("A.JSONL", True),
        ("a.json", False),
        ("a.jsonl.gz", False),
        ("jsonl", False),
    ],
)
def test_json_lines_are_told_by_their_ending(name: str, expected: bool) -> None:
    assert is_json_lines(name) is expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a/b.png", "image/png"),
        ("a.json", "application/json"),
        ("a.b/c", "application/octet-stream"),
        ("a.unheard-of", "application/octet-stream"),
        ("a.csv", "text/csv"),
        ("a.csv.gz", "application/octet-stream"),
    ],
)
def test_the_content_type_follows_from_the_extension(name: str, expected: str) -> None:
    assert content_type_of(name) == expected
