from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from model_store.errors import DamagedError
from model_store.refs import Refs, State
from tests.support.documents import REFS, as_json

if TYPE_CHECKING:
    from collections.abc import Callable


def _parse(document: dict[str, Any]) -> Refs:
    return Refs.parse(json.dumps(document).encode(), "refs.json")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda it: it["labels"].update(latest=2), "names a version that it does not list"),
        (lambda it: it["holds"]["job-1"].update(version=2), "names a version that it does not"),
        (lambda it: it.update(next_version=3), "is not below next_version"),
        (lambda it: it.update(next_version=1), "is not below next_version"),
        (lambda it: it["split"].update(other=0), "split names an unknown label"),
        (lambda it: it["split"].update(stable=26), "exceeds 100 percent"),
        (lambda it: it["split"].update(stable=1000), "exceeds 100 percent"),
        (lambda it: it["versions"]["1"].update(state="gone"), "unknown state 'gone'"),
        (lambda it: it["versions"]["1"].update(state=""), "unknown state ''"),
        (lambda it: it["versions"]["1"].update(state="AVAILABLE"), "unknown state"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_refs_that_contradict_themselves_are_damaged(
    change: Callable[[dict[str, Any]], object], reason: str
) -> None:
    document = as_json("refs")
    change(document)
    with pytest.raises(DamagedError, match=reason) as caught:
        _parse(document)
    assert str(caught.value).startswith("refs.json: ")


@pytest.mark.parametrize(
    "change",
    [
        lambda it: it.update(split={}),
        lambda it: it.update(split={"stable": 100}),
        lambda it: it.update(split={"stable": 0}),
        lambda it: it.update(labels={}, split={}),
        lambda it: it.update(labels={}, split={}, holds={}, versions={}),
        lambda it: it.update(next_version=10**6),
        lambda it: it["versions"]["1"].update(preparations={}),
    ],
)
def test_refs_may_be(change: Callable[[dict[str, Any]], object]) -> None:
    document = as_json("refs")
    change(document)
    assert json.loads(_parse(document).render()) == document


@pytest.mark.parametrize(
    "key", ["0", "-1", "01", "+1", "1.0", " 1", "1 ", "1_0", "", "one", "\u0661", "\u00b2", "1e0"]
)
def test_what_is_no_version_number_is_damage(key: str) -> None:
    document = as_json("refs")
    document["versions"][key] = document["versions"]["1"]
    with pytest.raises(DamagedError, match=r"refs\.json: .* is no version number"):
        _parse(document)


@pytest.mark.parametrize("state", list(State))
def test_every_state_is_read(state: State) -> None:
    document = as_json("refs")
    document["versions"]["1"]["state"] = state.value
    assert _parse(document).versions[1].state is state


@pytest.mark.parametrize(
    "time",
    [
        "", "2026-11-23", "2026-11-23T21:09:35", "2026-11-23T21:09:35+00:00", "now",
        "2026-11-23 21:09:35Z", "2026-11-23T21:09:35.5Z", "2026-11-23T21:09:35Z\n",
        "2026-13-23T21:09:35Z", "2026-11-23T24:09:35Z", "2026-11-00T21:09:35Z",
        "2026-11-23T21:60:35Z", "\u0662\u0660\u0662\u0666-11-23T21:09:35Z",
    ],
    ids=ascii,
)  # fmt: skip
def test_what_is_no_time_is_damage(time: str) -> None:
    document = as_json("refs")
    document["versions"]["3"]["sweep_after"] = time
    with pytest.raises(DamagedError, match="'sweep_after' is not a time like"):
        _parse(document)


def test_the_example_holds_what_its_document_says() -> None:
    assert _parse(as_json("refs")) == REFS
