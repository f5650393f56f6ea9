from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from model_store.digests import Digest
from model_store.errors import DamagedError, StoreUnreachableError
from model_store.layout import StoreLayout
from model_store.refs import LATEST, Refs, State, VersionEntry
from model_sync.admin.show import list_published
from tests.support.generations import change

if TYPE_CHECKING:
    from pathlib import Path

TIME = "2026-11-23T21:09:35Z"


def _write(layout: StoreLayout, name: str, generation: int, *, installed: bool = True) -> None:
    entries = {
        number: VersionEntry(
            id="20261123T210935Z-0f3c9a51be77",
            state=state,
            digest=Digest.of_bytes(b""),
            size_bytes=number * 10,
            published_at=TIME,
            preparations={},
        )
        for number, state in [(10, State.AVAILABLE), (2, State.RETIRED), (1, State.DELETED)]
    }
    refs = Refs(
        model=name,
        model_id="id",
        generation=generation,
        writer="one",
        next_version=11,
        labels={"stable": 2, LATEST: 10},
        split={"stable": 5},
        versions=entries,
        holds={},
        change=change(),
    )
    model = layout.model(name)
    model.refs_folder.mkdir(parents=True)
    path = model.refs_json if installed else model.generation(generation)
    path.write_bytes(refs.render())


def test_an_empty_store_lists_no_models(layout: StoreLayout) -> None:
    assert list_published(layout) == {"models": []}


def test_what_is_listed_of_a_model_is_what_the_interface_says(layout: StoreLayout) -> None:
    _write(layout, "adder", 7)
    digest = str(Digest.of_bytes(b""))
    listed = list_published(layout)
    assert listed == {
        "models": [
            {
                "name": "adder",
                "generation": 7,
                "labels": {LATEST: 10, "stable": 2},
                "split": {"stable": 5},
                "versions": [
                    {
                        "version": number,
                        "state": state,
                        "digest": digest,
                        "size_bytes": number * 10,
                        "published_at": TIME,
                    }
                    for number, state in [(1, "deleted"), (2, "retired"), (10, "available")]
                ],
            }
        ]
    }
    assert list(listed["models"][0]["labels"]) == [LATEST, "stable"]


def test_models_are_sorted_by_name_and_strangers_left_out(layout: StoreLayout) -> None:
    for name in ("b", "a"):
        _write(layout, name, 1)
    (layout.models / "lost+found").mkdir()
    (layout.models / "half-made").mkdir()
    assert [model["name"] for model in list_published(layout)["models"]] == ["a", "b"]


def test_the_newest_generation_is_listed_before_it_is_installed(layout: StoreLayout) -> None:
    _write(layout, "adder", 1, installed=False)
    assert [model["generation"] for model in list_published(layout)["models"]] == [1]


def test_a_missing_store_is_no_empty_one(tmp_path: Path) -> None:
    with pytest.raises(StoreUnreachableError):
        list_published(StoreLayout(tmp_path / "missing"))


def test_a_damaged_model_is_named(layout: StoreLayout) -> None:
    _write(layout, "adder", 1)
    layout.model("adder").refs_json.write_bytes(b"{}")
    with pytest.raises(DamagedError, match=r"adder/refs\.json"):
        list_published(layout)
