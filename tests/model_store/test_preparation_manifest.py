from __future__ import annotations

import json
from typing import Any

import pytest

from model_store.digests import Digest
from model_store.errors import DamagedError, StoreError
from model_store.files import FileEntry
from model_store.preparation import PreparationManifest
from model_store.variant import Measurement, Variant
from tests.support.documents import PREPARATION, as_json


def _parse(document: dict[str, Any]) -> PreparationManifest:
    return PreparationManifest.parse(json.dumps(document).encode(), "manifest.json")


def _with_variants(*names: str, chosen: str) -> dict[str, Any]:
    document = as_json("preparation")
    variant = document["variants"][0]
    document["variants"] = [{**variant, "name": name} for name in names]
    document |= {"chosen": chosen, "replacement": None}
    return document


def test_the_chosen_variant_is_the_one_that_it_names() -> None:
    manifest = _parse(_with_variants("portable", "plain", chosen="plain"))
    assert manifest.variant.name == "plain"
    assert manifest.variants[0].name == "portable"


@pytest.mark.parametrize(
    ("names", "chosen"),
    [
        ((), "plain"),
        (("portable",), "plain"),
        (("plain", "plain"), "plain"),
        (("a", "a", "b"), "b"),
    ],
    ids=["no variant", "another variant", "chosen twice", "another twice"],
)
def test_a_choice_that_is_not_exactly_one_of_the_variants_is_damage(
    names: tuple[str, ...], chosen: str
) -> None:
    with pytest.raises(DamagedError, match=r"manifest\.json: ('chosen' names none|two variants)"):
        _parse(_with_variants(*names, chosen=chosen))


@pytest.mark.parametrize("value", [1, None, True, ["0"], {"a": "b"}])
def test_a_session_option_that_is_no_string_is_damage(value: object) -> None:
    document = as_json("preparation")
    document["variants"][0]["config"] = {"session.x": value}
    with pytest.raises(DamagedError, match="'config' holds a value that is not a string"):
        _parse(document)


@pytest.mark.parametrize("graph", ["../model.onnx", "/model.onnx", "source/../../x", ""])
def test_a_graph_outside_the_version_is_refused(graph: str) -> None:
    document = as_json("preparation")
    document["variants"][0]["graph"] = graph
    with pytest.raises(StoreError, match="is refused"):
        _parse(document)


def test_a_measurement_without_a_fraction_is_a_measurement() -> None:
    document = as_json("preparation")
    document["variants"][0]["measurement"]["load_ms"] = 2
    load_ms = _parse(document).measurement.load_ms
    assert isinstance(load_ms, float)
    assert load_ms == 2


def test_the_example_is_what_its_variant_says() -> None:
    assert PREPARATION.variant.config == {"session.intra_op.allow_spinning": "0"}


def test_a_variant_that_was_refused_or_not_measured_cannot_be_chosen() -> None:
    for change in ({"refused": "it is off by up to 7.8"}, {"measurement": None}):
        document = as_json("preparation")
        document["variants"][0] |= change
        with pytest.raises(DamagedError, match="'chosen' names a variant that was refused"):
            _parse(document)


def test_a_chosen_variant_has_its_graph_among_its_files() -> None:
    document = as_json("preparation") | {"chosen": "portable"}
    assert _parse(document).variant.optimized
    document["variants"][1]["files"] = []
    with pytest.raises(DamagedError, match="the files of 'portable' lack its graph"):
        _parse(document)


@pytest.mark.parametrize("value", [1, None, "true"])
def test_optimized_is_true_or_false(value: object) -> None:
    document = as_json("preparation")
    document["variants"][1]["optimized"] = value
    with pytest.raises(DamagedError, match="'optimized' is not true or false"):
        _parse(document)


def test_its_files_are_those_of_all_its_variants_once() -> None:
    [portable] = PREPARATION.variants[1].files
    both = PREPARATION.variants[1]._replace(name="mapped")
    manifest = PREPARATION._replace(variants=(*PREPARATION.variants, both))
    assert manifest.files == (portable,)


def test_more_mapped_than_resident_is_damage() -> None:
    document = as_json("preparation")
    document["variants"][0]["measurement"]["mapped_bytes"] = 1025
    with pytest.raises(DamagedError, match="'mapped_bytes' is more than 'resident_bytes'"):
        _parse(document)


def _measured(name: str, block_width: int = 0, *, kept: bool = True) -> Variant:
    graph = f"{name}/model.onnx"
    files = (FileEntry(graph, 1, Digest.of_bytes(b"1")),) if kept else ()
    measurement = Measurement(1, 1, 1, 1, 1, 1)
    return Variant(name, graph, {}, measurement, files=files, block_width=block_width)


def _manifest(*variants: Variant, chosen: str, replacement: str | None = None) -> Any:
    plain = PREPARATION.variants[0]
    return PREPARATION._replace(
        variants=(plain, *variants), chosen=chosen, replacement=replacement, chunks={}
    )


@pytest.mark.parametrize(
    ("variants", "chosen", "width", "expected"),
    [
        ([], "plain", 16, "plain"),
        ([_measured("portable")], "plain", 16, "plain"),
        ([_measured("portable")], "portable", 0, "portable"),
        ([_measured("wide", 16)], "wide", 16, "wide"),
        ([_measured("wide", 16)], "wide", 8, "plain"),
        ([_measured("wide", 16)], "wide", 0, "plain"),
        ([_measured("wide", 16), _measured("portable")], "wide", 8, "portable"),
        ([_measured("portable", kept=False), _measured("wide", 16)], "wide", 8, "plain"),
        ([_measured("other", 8), _measured("wide", 16)], "wide", 8, "other"),
    ],
)
def test_a_variant_for_another_processor_is_never_what_fits(
    variants: list[Variant], chosen: str, width: int, expected: str
) -> None:
    manifest = _manifest(*variants, chosen=chosen)
    assert PreparationManifest.parse(manifest.render(), "x") == manifest
    assert manifest.fitting(width).name == expected


def test_a_replacement_follows_what_was_chosen_alone_and_on_its_own_processor_alone() -> None:
    mapped, wide = _measured("mapped"), _measured("wide", 16)
    manifest = _manifest(mapped, wide, chosen="mapped", replacement="wide")
    assert manifest.replacement_for(16) == wide
    assert manifest.replacement_for(8) is None
    assert _manifest(mapped, wide, chosen="mapped").replacement_for(16) is None
    assert _manifest(mapped, wide, chosen="wide", replacement="mapped").replacement_for(8) is None


def test_a_replacement_that_cannot_be_opened_is_damage() -> None:
    refused = _measured("odd")._replace(refused="it is off")
    for variant in (refused, _measured("odd", kept=False)):
        manifest = _manifest(variant, chosen="plain", replacement="odd")
        with pytest.raises(DamagedError, match=r"'replacement' names|of 'odd' lack its graph"):
            PreparationManifest.parse(manifest.render(), "x")
