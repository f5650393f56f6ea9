"""A reader's view of a model's refs from one refresh to the next."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from model_store.errors import (
    DamagedError,
    InvalidNameError,
    NotFoundError,
    StoreUnreachableError,
)
from model_store.reading import Seen, refresh
from tests.support.documents import STORE_ID, refs_of, write_generations, write_store

if TYPE_CHECKING:
    from model_store.layout import ModelLayout, StoreLayout
    from tests.model_store.conftest import Listen

G1, G2, G3, G4 = (refs_of(number) for number in (1, 2, 3, 4))


def test_a_cold_reader_sees_the_newest_generation(
    empty_store: StoreLayout, model: ModelLayout
) -> None:
    write_generations(model, G1, G2, newest=G2)
    assert refresh(empty_store, "adder", None) == Seen(STORE_ID, G2)


def test_a_cold_reader_looks_upward_over_stale_refs(
    empty_store: StoreLayout, model: ModelLayout
) -> None:
    write_generations(model, G1, G2, G3, newest=G1)
    assert refresh(empty_store, "adder", None).refs == G3


def test_a_cold_reader_looks_upward_over_missing_refs(
    empty_store: StoreLayout, model: ModelLayout
) -> None:
    write_generations(model, G1, G2, newest=None)
    assert refresh(empty_store, "adder", None).refs == G2


def test_a_warm_reader_takes_up_a_newer_generation(
    empty_store: StoreLayout, model: ModelLayout
) -> None:
    write_generations(model, G1, G2, newest=G2)
    assert refresh(empty_store, "adder", Seen(STORE_ID, G1)).refs == G2


@pytest.mark.parametrize("stale", [G1, G2])
def test_a_warm_reader_never_goes_back(
    empty_store: StoreLayout, model: ModelLayout, stale: object
) -> None:
    seen = Seen(STORE_ID, G3)
    write_generations(model, G1, G2, newest=G1 if stale is G1 else G2)
    assert refresh(empty_store, "adder", seen) is seen


def test_a_warm_reader_looks_upward_where_refs_json_is_missing(
    empty_store: StoreLayout, model: ModelLayout
) -> None:
    write_generations(model, G1, G2, newest=None)
    assert refresh(empty_store, "adder", Seen(STORE_ID, G1)).refs == G2


def test_a_warm_reader_starts_over_in_another_store(
    empty_store: StoreLayout, model: ModelLayout
) -> None:
    write_generations(model, G1, G2, newest=G1)
    # In a store that it has not seen a reader is cold: it looks upward, too.
    assert refresh(empty_store, "adder", Seen("another-store", G4)) == Seen(STORE_ID, G2)


def test_a_store_made_anew_at_the_same_place_is_another(
    empty_store: StoreLayout, model: ModelLayout
) -> None:
    write_generations(model, G3, newest=G3)
    seen = refresh(empty_store, "adder", None)
    write_store(empty_store.root, "made-anew")
    write_generations(model, G1, newest=G1)
    model.generation(3).unlink()
    assert refresh(empty_store, "adder", seen) == Seen("made-anew", G1)


def test_a_warm_reader_starts_over_for_another_model_of_the_same_name(
    empty_store: StoreLayout, model: ModelLayout
) -> None:
    anew = refs_of(1, model_id="made-anew")
    write_generations(model, anew, newest=anew)
    assert refresh(empty_store, "adder", Seen(STORE_ID, G4)) == Seen(STORE_ID, anew)


def test_a_warm_reader_opens_two_files_and_lists_nothing(
    empty_store: StoreLayout, model: ModelLayout, heard: Listen
) -> None:
    write_generations(model, G1, G2, newest=G2)
    with heard() as events:
        refresh(empty_store, "adder", Seen(STORE_ID, G2))
    assert events == [("open", "STORE.json"), ("open", "refs.json")]


@pytest.mark.parametrize("seen", [None, Seen(STORE_ID, G3)], ids=["cold", "warm"])
class TestColdOrWarm:
    def test_a_model_that_is_not_there_is_not_found(
        self, empty_store: StoreLayout, seen: Seen | None
    ) -> None:
        with pytest.raises(NotFoundError, match="no model is named 'adder' in the store at"):
            refresh(empty_store, "adder", seen)

    def test_a_missing_mount_is_no_missing_model(
        self, empty_store: StoreLayout, model: ModelLayout, seen: Seen | None
    ) -> None:
        write_generations(model, G1, newest=G1)
        empty_store.store_json.unlink()
        with pytest.raises(StoreUnreachableError):
            refresh(empty_store, "adder", seen)

    def test_refs_of_another_model_are_damage(
        self, empty_store: StoreLayout, model: ModelLayout, seen: Seen | None
    ) -> None:
        write_generations(model, newest=refs_of(9, model="other"))
        with pytest.raises(DamagedError, match="of the model 'other'"):
            refresh(empty_store, "adder", seen)

    @pytest.mark.parametrize("name", ["..", "a/b", "", "A"])
    def test_an_impossible_name_becomes_no_path(
        self, empty_store: StoreLayout, seen: Seen | None, name: str
    ) -> None:
        with pytest.raises(InvalidNameError):
            refresh(empty_store, name, seen)
