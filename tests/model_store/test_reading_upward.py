"""`refs.json` may be older than the newest generation: who starts cold looks for newer ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from model_store.errors import DamagedError, FormatTooNewError, StoreUnreachableError
from model_store.reading import read_upward
from tests.support.documents import refs_of, write_generations

if TYPE_CHECKING:
    from model_store.layout import ModelLayout
    from tests.model_store.conftest import Listen

G1, G2, G3, G4 = (refs_of(number) for number in (1, 2, 3, 4))


def test_nothing_was_ever_committed(model: ModelLayout) -> None:
    assert read_upward(model) is None
    model.refs_folder.mkdir()
    assert read_upward(model) is None


def test_the_newest_is_installed(model: ModelLayout) -> None:
    write_generations(model, G1, G2, newest=G2)
    assert read_upward(model) == G2


@pytest.mark.parametrize("installed", [G1, G2, G3])
def test_newer_generations_than_refs_json_are_found(model: ModelLayout, installed: object) -> None:
    write_generations(model, G1, G2, G3, G4, newest=next(g for g in (G1, G2, G3) if g is installed))
    assert read_upward(model) == G4


def test_a_missing_refs_json_is_no_missing_model(model: ModelLayout) -> None:
    write_generations(model, G1, G2, G3, newest=None)
    assert read_upward(model) == G3


def test_looking_stops_at_the_first_gap(model: ModelLayout) -> None:
    write_generations(model, G1, G2, G4, newest=G1)
    assert read_upward(model) == G2


def test_older_generations_need_not_be_there(model: ModelLayout) -> None:
    write_generations(model, G4, newest=G3)
    assert read_upward(model) == G4


@pytest.mark.parametrize("says", [1, 3, 9])
def test_a_generation_file_with_another_number_is_damage(model: ModelLayout, says: int) -> None:
    write_generations(model, G1, newest=G1)
    model.generation(2).write_bytes(refs_of(says).render())
    with pytest.raises(DamagedError, match=rf"refs/2\.json says generation {says}"):
        read_upward(model)


def test_refs_of_another_model_are_damage(model: ModelLayout) -> None:
    write_generations(model, G1, newest=refs_of(1, model="other"))
    with pytest.raises(DamagedError, match=r"refs\.json is of the model 'other'"):
        read_upward(model)


def test_a_generation_of_another_model_is_damage(model: ModelLayout) -> None:
    write_generations(model, G1, refs_of(2, model="other"), newest=G1)
    with pytest.raises(DamagedError, match=r"refs/2\.json is of the model 'other'"):
        read_upward(model)


def test_a_newer_generation_of_a_newer_format_is_refused(model: ModelLayout) -> None:
    write_generations(model, G1, newest=G1)
    model.generation(2).write_bytes(b'{"format": 2}')
    with pytest.raises(FormatTooNewError, match=r"refs/2\.json has format 2"):
        read_upward(model)


@pytest.mark.parametrize("name", ["refs.json", "refs/2.json"])
def test_damage_is_named_by_its_file(model: ModelLayout, name: str) -> None:
    write_generations(model, G1, G2, newest=G1)
    (model.folder / name).write_bytes(b"")
    with pytest.raises(DamagedError, match=name):
        read_upward(model)


@pytest.mark.parametrize("name", ["refs.json", "refs/1.json"])
def test_what_cannot_be_read_is_not_taken_for_missing(model: ModelLayout, name: str) -> None:
    write_generations(model, newest=None)
    (model.folder / name).mkdir()
    with pytest.raises(StoreUnreachableError, match=f"{name} cannot be read"):
        read_upward(model)


def test_reading_opens_what_it_reads_and_the_first_that_is_missing(
    model: ModelLayout, heard: Listen
) -> None:
    write_generations(model, G1, G2, G3, newest=G2)
    with heard() as events:
        read_upward(model)
    assert events == [("open", name) for name in ("refs.json", "3.json", "4.json")]
