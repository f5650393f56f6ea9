"""Requests to the sync function: valid ones, and ones refused in one line."""

from __future__ import annotations

from typing import Any

import pytest

from model_sync.errors import RequestError
from model_sync.sync_job.requests import PublishRequest, request_id_of, source_of

LEAST = {"request_id": "r-1", "source": "s3://models/adder/"}
ID = "20261130T161356Z-ae0b89e5908a"


@pytest.mark.parametrize(
    ("fields", "means"),
    [
        ({}, {}),
        ({"model": None, "label": None, "reason": None, "who": None, "resume": None}, {}),
        ({"model": "", "label": "", "reason": "", "who": "", "resume": ""}, {}),
        ({"verb": "publish", "more": [1]}, {}),
        ({"model": "adder"}, {"model": "adder"}),
        ({"label": "canary"}, {"label": "canary"}),
        ({"reason": "é" * 1024}, {"reason": "é" * 1024}),
        ({"who": "me@here"}, {"who": "me@here"}),
        ({"resume": ID}, {"resume": ID}),
        ({"allow_signature_change": True}, {"allow_signature_change": True}),
        ({"request_id": "aZ09_-" + "x" * 58}, {"request_id": "aZ09_-" + "x" * 58}),
    ],
)
def test_what_is_not_said_is_the_default(fields: dict[str, Any], means: dict[str, Any]) -> None:
    defaults = {"model": None, "label": "latest", "reason": "", "who": None, "resume": None}
    expected = PublishRequest(**{**LEAST, **defaults, **means})
    assert PublishRequest.of_event({**LEAST, **fields}) == expected


@pytest.mark.parametrize("value", [0, 1, "yes", "", [], None])
def test_a_flag_is_true_or_false(value: object) -> None:
    with pytest.raises(RequestError, match=r"'allow_signature_change' is .*: expected true or"):
        PublishRequest.of_event({**LEAST, "allow_signature_change": value})


TEXTS = ("request_id", "source", "model", "label", "reason", "who", "resume")


@pytest.mark.parametrize("key", TEXTS)
@pytest.mark.parametrize("value", [0, 1, 1.5, True, False, [], ["a"], {}, {"a": 1}, "x" * 1025])
def test_what_is_no_text_or_too_long_is_refused_by_its_name(key: str, value: object) -> None:
    with pytest.raises(RequestError) as caught:
        PublishRequest.of_event({**LEAST, key: value})
    assert str(caught.value) == f"{key!r} is not a text of at most 1024 characters"


@pytest.mark.parametrize("key", TEXTS)
@pytest.mark.parametrize("value", ["\ud800", "a\udcff", "\udfff\ud800"])
def test_half_a_surrogate_pair_is_refused_by_its_name(key: str, value: str) -> None:
    with pytest.raises(RequestError) as caught:
        PublishRequest.of_event({**LEAST, key: value})
    assert str(caught.value) == f"{key!r} is not UTF-8 text"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *(("model", name) for name in ("Adder", "-a", "a/b", "..", "a b", "a\n", "é", "a" * 65)),
        *(("label", name) for name in ("Latest", "_a", "a/b", "..", "a b", "a\n", "é", "a" * 65)),
        *(("resume", text) for text in ("1", "../x", "/", f"{ID}/..", f"{ID}\n", ID.upper())),
    ],
)
def test_a_name_that_no_store_holds_is_refused_by_its_key(key: str, value: str) -> None:
    with pytest.raises(RequestError) as caught:
        PublishRequest.of_event({**LEAST, key: value})
    assert str(caught.value).startswith(f"{key!r}: ")
    assert f"{value!r} is refused" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "value", [None, "", " ", "a b", "../x", "a/b", "a.json", "é", "r-1\n", "x" * 65, "x" * 1024]
)
def test_an_id_that_cannot_be_part_of_a_key_is_refused(value: str | None) -> None:
    for read in (PublishRequest.of_event, request_id_of):
        with pytest.raises(RequestError, match=r"is not 1 to 64 letters, digits, - or _$") as e:
            read({**LEAST, "request_id": value})
        assert "\n" not in str(e.value)
        assert len(str(e.value)) < 140


@pytest.mark.parametrize("event", [{}, {"source": None}, {"source": ""}])
def test_a_request_for_nothing_is_refused(event: dict[str, Any]) -> None:
    with pytest.raises(RequestError, match=r"^'source' is missing$"):
        source_of(event)
    with pytest.raises(RequestError, match=r"^'source' is missing$"):
        PublishRequest.of_event({"request_id": "r-1", **event})
