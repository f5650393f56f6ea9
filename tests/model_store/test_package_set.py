from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from model_store.digests import Digest
from model_store.errors import DamagedError
from model_store.package_set import PackageSetManifest
from tests.support.documents import PACKAGE_SET, as_json

if TYPE_CHECKING:
    from collections.abc import Callable

OTHER = str(Digest.of_bytes(b"other"))


def _parse(document: dict[str, Any]) -> PackageSetManifest:
    return PackageSetManifest.parse(json.dumps(document).encode(), "manifest.json")


@pytest.mark.parametrize(
    "change",
    [
        lambda it: it.update(digest=OTHER),
        lambda it: it["target"].update(python="3.13"),
        lambda it: it["target"].update(platform="aarch64-manylinux_2_28"),
        lambda it: it["wheels"].pop(),
        lambda it: it["wheels"][0].update(version="2.4.7"),
        lambda it: it["wheels"][0].update(digest=OTHER),
    ],
    ids=["digest", "python", "platform", "wheel left out", "wheel's version", "wheel's digest"],
)
def test_a_digest_that_does_not_follow_from_what_the_set_was_made_of_is_damage(
    change: Callable[[dict[str, Any]], object],
) -> None:
    document = as_json("package_set")
    change(document)
    with pytest.raises(DamagedError, match=r"manifest\.json is damaged: its contents do not match"):
        _parse(document)


def test_when_and_how_a_set_was_unpacked_is_not_its_identity() -> None:
    document = as_json("package_set")
    document |= {"created_at": "2027-01-01T00:00:00Z", "files": 9, "files_digest": OTHER}
    assert _parse(document).digest == PACKAGE_SET.digest


@pytest.mark.parametrize("order", [(1, 0), (0, 0)], ids=["out of order", "twice"])
def test_wheels_out_of_order_or_named_twice_are_damage(order: tuple[int, int]) -> None:
    wheels = tuple(PACKAGE_SET.wheels[number] for number in order)
    data = PACKAGE_SET._replace(wheels=wheels).render()
    with pytest.raises(DamagedError, match="not sorted by name, or name one twice"):
        PackageSetManifest.parse(data, "manifest.json")


def test_a_module_of_a_wheel_that_is_not_there_is_damage() -> None:
    data = PACKAGE_SET._replace(modules={"numpy": "nobody"}).render()
    with pytest.raises(DamagedError, match="'modules' names a wheel that the set does not have"):
        PackageSetManifest.parse(data, "manifest.json")


def test_a_set_of_no_wheels_is_a_set() -> None:
    empty = PACKAGE_SET._replace(wheels=(), modules={})
    assert PackageSetManifest.parse(empty.render(), "manifest.json") == empty
