from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Final

import pytest

from model_store.errors import InvalidNameError
from model_store.names import check_id, check_label, check_model, check_runtime_key, id_time, new_id
from model_store.preparation import runtime_key

if TYPE_CHECKING:
    from collections.abc import Callable

NAMES: Final = ["a", "0", "magika", "bert-base_v2", "0-_", "a" * 64, "con"]
NO_NAMES: Final = [
    "", " ", "a ", " a", "a\n", "\na", "A", "aB", "-a", "_a", ".", "..", "../a", "a/b", "/a", "a.b",
    "a\\b", "a:b", "a@1", "a*", "größe", "\u0430", "\u0661", "a\u200b", "a\x00", "a\x7f",
    "\ud800", "a" * 65, "a" * 100_000, "%2e%2e",
]  # fmt: skip
IDS: Final = ["20261123T210935Z-0f3c9a51be77", "00000000T000000Z-000000000000"]
NO_IDS: Final = [
    "", "20261123T210935Z", "20261123T210935Z-0f3c9a51be7", "20261123T210935Z-0f3c9a51be777",
    "20261123T210935Z-0F3C9A51BE77", "20261123T210935Z-0f3c9a51be7g",
    "2026112T210935Z-0f3c9a51be77",
    "20261123t210935z-0f3c9a51be77", "../20261123T210935Z-0f3c9a51be77", "..",
    "20261123T210935Z-0f3c9a51be77\n", "20261123T210935Z-0f3c9a51be77/..", "\u0662" * 8,
    "\u0662\u0660\u0662\u0666\u0661\u0661\u0662\u0663T210935Z-0f3c9a51be77",
]  # fmt: skip
KEYS: Final = ["ort-1.32.0-x86_64-p1", "a", "0", "a..b", "a" * 128]
NO_KEYS: Final = ["", ".", "..", ".a", "-a", "A", "a/b", "a b", "a\n", "a" * 129, "ort-1.32.0+cu12"]


@pytest.mark.parametrize("check", [check_model, check_label])
@pytest.mark.parametrize("name", NAMES)
def test_a_model_or_label_may_be_called(check: Callable[[str], str], name: str) -> None:
    assert check(name) == name


@pytest.mark.parametrize("name", NO_NAMES, ids=ascii)
@pytest.mark.parametrize(
    ("check", "what"), [(check_model, "model name"), (check_label, "label")], ids=["model", "label"]
)
def test_a_model_or_label_may_not_be_called(
    check: Callable[[str], str], what: str, name: str
) -> None:
    message = _refusal(check, name)
    assert message.startswith(f"{what} ")
    assert "at most 64" in message


@pytest.mark.parametrize("text", IDS)
def test_an_id_may_be(text: str) -> None:
    assert check_id(text) == text


@pytest.mark.parametrize("text", NO_IDS, ids=ascii)
def test_an_id_may_not_be(text: str) -> None:
    assert _refusal(check_id, text).startswith("id ")


@pytest.mark.parametrize("text", KEYS)
def test_a_runtime_key_may_be(text: str) -> None:
    assert check_runtime_key(text) == text


@pytest.mark.parametrize("text", NO_KEYS, ids=ascii)
def test_a_runtime_key_may_not_be(text: str) -> None:
    assert _refusal(check_runtime_key, text).startswith("runtime key ")


def test_new_ids_are_ids_and_never_the_same() -> None:
    ids = [new_id() for _ in range(2000)]
    assert len(set(ids)) == len(ids)
    assert [check_id(text) for text in ids] == ids


def test_a_new_id_says_when_it_was_made() -> None:
    before = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    made = new_id()
    after = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    assert before <= made.split("-")[0] <= after


@pytest.mark.parametrize(
    ("version", "machine", "key"),
    [
        ("1.32.0", "x86_64", "ort-1.32.0-x86_64-p4"),
        ("1.32.0", "AMD64", "ort-1.32.0-x86_64-p4"),
        ("1.32.0", "arm64", "ort-1.32.0-aarch64-p4"),
        ("1.32.0", "aarch64", "ort-1.32.0-aarch64-p4"),
        ("1.33.0", "riscv64", "ort-1.33.0-riscv64-p4"),
    ],
)
def test_a_runtime_is_named_alike_whatever_the_system_calls_its_processor(
    version: str, machine: str, key: str
) -> None:
    assert runtime_key(version, machine) == key


def _refusal(check: Callable[[str], str], text: str) -> str:
    with pytest.raises(InvalidNameError) as caught:
        check(text)
    message = str(caught.value)
    assert re.fullmatch(r"[\x20-\x7e\u00a0-\uffff]+", message)
    assert len(message) < 300
    return message


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("19700101T000000Z-000000000000", 0),
        ("20261123T210935Z-0f3c9a51be77", 1_795_468_175),
        ("20240229T235959Z-0f3c9a51be77", 1_709_251_199),
    ],
)
def test_an_id_says_when_it_was_made(text: str, expected: float) -> None:
    assert id_time(text) == expected


def test_an_id_made_now_is_of_now() -> None:
    before = int(time.time())
    assert before <= id_time(new_id()) <= time.time()


@pytest.mark.parametrize(
    "text", ["20261323T210935Z-0f3c9a51be77", "00000000T000000Z-000000000000", "20261123", ""]
)
def test_what_has_no_time_says_none(text: str) -> None:
    assert _refusal(lambda each: str(id_time(each)), text).startswith("id ")
