from __future__ import annotations

import pytest

from model_sync.text import list_labels, list_versions, pluralize


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 versions"), (1, "1 version"), (2, "2 versions")]
)
def test_one_is_no_plural(count: int, text: str) -> None:
    assert pluralize(count, "version") == text


@pytest.mark.parametrize(
    ("labels", "text"),
    [
        ((), "it has no label"),
        (("canary",), "its label is canary"),
        (("latest", "canary"), "its labels are canary, latest"),
    ],
)
def test_the_labels_there_are_are_named(labels: tuple[str, ...], text: str) -> None:
    assert list_labels(labels) == text


@pytest.mark.parametrize(
    ("numbers", "text"),
    [
        ((), "it has none"),
        ((1,), "there is 1"),
        ((2, 1), "there are 1, 2"),
        (range(1, 501), "there are 1 to 500"),
    ],
)
def test_the_versions_there_are_are_named_and_many_are_a_range(
    numbers: tuple[int, ...], text: str
) -> None:
    assert list_versions(numbers) == text
