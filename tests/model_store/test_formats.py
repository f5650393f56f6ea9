from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from model_store import documents
from model_store.documents import FORMAT
from model_store.errors import DamagedError, FormatTooNewError
from model_store.reading import read_model_id, read_store_id
from tests.support.documents import KINDS, PARSERS, as_json

if TYPE_CHECKING:
    from model_store.layout import ModelLayout, StoreLayout

NEWER = FORMAT + 1


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("number", [NEWER, 10**30])
def test_a_newer_format_is_refused_with_what_to_do(kind: str, number: int) -> None:
    document = documents.render({**as_json(kind), "format": number})
    with pytest.raises(FormatTooNewError) as caught:
        PARSERS[kind](document, "<where>")
    message = str(caught.value)
    for expected in ("<where>", f"format {number}", f"up to {FORMAT}", "upgrade"):
        assert expected in message


@pytest.mark.parametrize("kind", KINDS)
def test_a_newer_format_is_not_called_damaged_for_what_else_it_holds(kind: str) -> None:
    document = documents.render({"format": NEWER, "of another shape": [1, 2]})
    with pytest.raises(FormatTooNewError):
        PARSERS[kind](document, "where")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("number", [0, -1, True, 1.0, "1", None])
def test_a_format_that_is_no_positive_integer_is_damage(kind: str, number: object) -> None:
    document = documents.render({**as_json(kind), "format": number})
    with pytest.raises(DamagedError, match="'format'"):
        PARSERS[kind](document, "where")


def test_a_store_of_a_newer_format_is_refused(empty_store: StoreLayout) -> None:
    empty_store.store_json.write_bytes(documents.render({"format": NEWER, "id": "x", "new": 1}))
    with pytest.raises(FormatTooNewError, match=r"STORE\.json has format 2"):
        read_store_id(empty_store)


def test_a_model_of_a_newer_format_is_refused(model: ModelLayout) -> None:
    model.model_json.write_bytes(documents.render({"format": NEWER, "id": "x"}))
    with pytest.raises(FormatTooNewError, match=r"MODEL\.json has format 2"):
        read_model_id(model)


def test_now_is_a_time_as_documents_spell_it() -> None:
    fields = documents.Fields({"when": documents.now()}, "where")
    assert fields.time("when")
