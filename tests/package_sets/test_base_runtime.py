"""Packages of the runtime are not published: the same version is left out, another refused."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from model_store.package_set import Target
from model_sync.errors import PackagesError
from model_sync.package_sets.publish import publish_packages
from model_sync.package_sets.runtime_packages import (
    ROOTS,
    Runtime,
    installed_runtime,
    leave_out_runtime_packages,
)
from model_sync.progress import Silent
from tests.support.places import ROOT
from tests.support.wheels import write_requirements, write_wheel

if TYPE_CHECKING:
    from model_store.layout import StoreLayout

BROUGHT: Final = {"numpy": "2.4.6", "typing-extensions": "4.16.0"}
FILE: Final = Path("pins.txt")


def named(*names: str) -> tuple[Path, ...]:
    return tuple(Path(f"{name}-py3-none-any.whl") for name in names)


def test_what_it_brings_is_what_the_layer_is_built_from() -> None:
    asked = (ROOT / "requirements" / "function.in").read_text().splitlines()
    assert {*ROOTS} == {line for line in asked if line and not line.startswith("#")}
    here = Target.running()
    by_the_pins = Runtime(Target("none", ""), {}).packages_for(here)
    assert installed_runtime() == by_the_pins
    assert Runtime.here() == (here, by_the_pins)


def test_for_another_python_it_brings_what_its_layer_would_be_built_from() -> None:
    here = Runtime.here()
    old, new = (
        here.packages_for(Target(python, "aarch64-manylinux_2_28")) for python in ("3.11", "3.13")
    )
    assert old.keys() == new.keys()
    assert old["numpy"] != new["numpy"]


def test_the_same_versions_are_left_out() -> None:
    pinned = named("alpha-1.0", "NumPy-2.4.6", "typing_extensions-4.16")
    assert leave_out_runtime_packages(pinned, BROUGHT, FILE) == (
        named("alpha-1.0"),
        ("numpy 2.4.6", "typing-extensions 4.16"),
    )
    assert leave_out_runtime_packages(pinned[:1], BROUGHT, FILE) == (pinned[:1], ())


def test_other_versions_are_refused_with_both_named() -> None:
    pinned = named("alpha-1.0", "numpy-2.4.7", "typing_extensions-4.0.0")
    with pytest.raises(PackagesError) as caught:
        leave_out_runtime_packages(pinned, BROUGHT, FILE)
    assert str(caught.value) == (
        "pins.txt pins numpy 2.4.7, where the runtime brings 2.4.6; typing-extensions 4.0.0, where "
        "the runtime brings 4.16.0: imports find the runtime's, so compile with `uv pip compile "
        "--constraint FILE`, FILE as `packages constraints` prints it"
    )


def test_a_set_for_a_store_here_is_held_against_what_is_installed(
    layout: StoreLayout, wheels: Path, tmp_path: Path
) -> None:
    brought = installed_runtime()["orjson"]
    alpha = write_wheel(wheels, "alpha")
    same, other = (write_wheel(wheels, "orjson", version=each) for each in (brought, "9.9"))
    pins = write_requirements(tmp_path / "pins.txt", alpha, same)
    manifest, _ = publish_packages(pins, layout, Target.running(), Silent())
    assert [wheel.name for wheel in manifest.wheels] == ["alpha"]
    write_requirements(pins, alpha, other)
    with pytest.raises(PackagesError, match=f"orjson 9.9, where the runtime brings {brought}: "):
        publish_packages(pins, layout, Target.running(), Silent())


def test_requirements_of_nothing_else_need_no_set() -> None:
    with pytest.raises(PackagesError, match=r"^pins.txt pins only what the runtime brings itself"):
        leave_out_runtime_packages(named("numpy-2.4.6"), BROUGHT, FILE)
