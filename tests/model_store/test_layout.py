from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from model_store.digests import Digest
from model_store.errors import InvalidNameError
from model_store.layout import StoreLayout
from tests.support import strategies
from tests.support.documents import PREPARATION_ID, VERSION_ID
from tests.support.strategies import fewer

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT: Final = Path("/mnt/store")
STORE: Final = StoreLayout(ROOT)
MODEL: Final = STORE.model("adder")

awkward = st.text(st.characters(), max_size=40) | st.lists(
    st.sampled_from(["..", ".", "/", "a", "\x00", "staging", "\n"]), max_size=6
).map("".join)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (STORE.store_json, "STORE.json"),
        (STORE.models, "models"),
        (STORE.staging(VERSION_ID), f"staging/{VERSION_ID}"),
        (STORE.trash(VERSION_ID), f"trash/{VERSION_ID}"),
        (STORE.packages, "packages"),
        (
            STORE.unused_mark(Digest.parse(f"sha256:{'ab' * 32}")),
            f"packages/.unused/{'ab' * 32}",
        ),
        (STORE.package_set(Digest.parse(f"sha256:{'ab' * 32}")), f"packages/{'ab' * 32}"),
        (MODEL.folder, "models/adder"),
        (MODEL.model_json, "models/adder/MODEL.json"),
        (MODEL.refs_json, "models/adder/refs.json"),
        (MODEL.refs_folder, "models/adder/refs"),
        (MODEL.generation(12), "models/adder/refs/12.json"),
        (MODEL.versions, "models/adder/versions"),
        (MODEL.version(VERSION_ID), f"models/adder/versions/{VERSION_ID}"),
        (MODEL.preparations, "models/adder/preparations"),
        (MODEL.preparation(PREPARATION_ID), f"models/adder/preparations/{PREPARATION_ID}"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_each_thing_lies_where_the_format_says(path: Path, expected: str) -> None:
    assert str(path) == f"/mnt/store/{expected}"


@fewer
@given(awkward | strategies.names)
@example("..")
@example("../models/adder")
@example("a\n")
def test_no_name_leads_out_of_the_models(name: str) -> None:
    try:
        folder = STORE.model(name).folder
    except InvalidNameError:
        return
    _is_directly_in(folder, "/mnt/store/models")


@pytest.mark.parametrize(
    ("place", "parent"),
    [
        (STORE.staging, "/mnt/store/staging"),
        (MODEL.version, "/mnt/store/models/adder/versions"),
        (MODEL.preparation, "/mnt/store/models/adder/preparations"),
    ],
    ids=["staging", "version", "preparation"],
)
def test_no_id_leads_out_of_its_folder(place: Callable[[str], Path], parent: str) -> None:
    @fewer
    @given(awkward | strategies.ids)
    @example(f"../{VERSION_ID}")
    @example(f"{VERSION_ID}/..")
    def holds(text: str) -> None:
        try:
            folder = place(text)
        except InvalidNameError:
            return
        _is_directly_in(folder, parent)

    holds()


def _is_directly_in(path: Path, parent: str) -> None:
    assert os.path.normpath(path) == str(path)
    assert str(path.parent) == parent
