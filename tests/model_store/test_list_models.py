from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from model_store.errors import StoreUnreachableError
from model_store.reading import has_models, list_models
from tests.support.documents import refs_of, write_generations

if TYPE_CHECKING:
    from model_store.layout import StoreLayout

G1, G2 = refs_of(1), refs_of(2)


def _publish(store: StoreLayout, name: str) -> None:
    write_generations(store.model(name), G1, newest=G1)


def test_a_store_in_which_nothing_was_published_is_empty(empty_store: StoreLayout) -> None:
    for _ in range(2):
        assert list_models(empty_store) == ()
        assert not has_models(empty_store)
        empty_store.models.mkdir(exist_ok=True)


def test_models_are_listed_by_name(empty_store: StoreLayout) -> None:
    for name in ("b", "a-2", "a", "0", "a_1"):
        _publish(empty_store, name)
    assert list_models(empty_store) == ("0", "a", "a-2", "a_1", "b")
    assert has_models(empty_store)


def test_strangers_among_the_models_are_ignored(empty_store: StoreLayout) -> None:
    _publish(empty_store, "adder")
    for name in ("lost+found", ".hidden", "Upper", "größe", "a" * 65):
        folder = empty_store.models / name
        (folder / "refs").mkdir(parents=True)
        (folder / "refs.json").write_bytes(G1.render())
        (folder / "refs" / "1.json").write_bytes(G1.render())
    os.mkdir(os.fsencode(empty_store.models) + b"/\xff")  # noqa: PTH102 - no text is this name
    (empty_store.models / "file").write_bytes(b"")
    (empty_store.models / "dangling").symlink_to("nothing")
    assert list_models(empty_store) == ("adder",)


def test_strangers_alone_are_no_models(empty_store: StoreLayout) -> None:
    (empty_store.models / "lost+found").mkdir(parents=True)
    assert not has_models(empty_store)


def test_a_model_of_which_no_generation_was_committed_is_not_listed(
    empty_store: StoreLayout,
) -> None:
    model = empty_store.model("half-made")
    model.versions.mkdir(parents=True)
    model.refs_folder.mkdir()
    model.model_json.write_bytes(b"{}")
    assert list_models(empty_store) == ()


def test_a_model_is_listed_before_its_refs_json_is_installed(empty_store: StoreLayout) -> None:
    write_generations(empty_store.model("committed"), G1, newest=None)
    assert list_models(empty_store) == ("committed",)


def test_a_model_is_listed_when_its_first_generation_is_gone(empty_store: StoreLayout) -> None:
    write_generations(empty_store.model("old"), G2, newest=G2)
    assert list_models(empty_store) == ("old",)


def test_models_that_cannot_be_listed_are_not_no_models(empty_store: StoreLayout) -> None:
    empty_store.models.write_bytes(b"")
    for look in (list_models, has_models):
        with pytest.raises(StoreUnreachableError, match="models cannot be listed"):
            look(empty_store)
