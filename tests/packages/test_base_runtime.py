"""What the runtime brings is not brought again: the same is left out, another is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from model_store.package_set import Target
from model_sync.base_runtime import PINS, ROOTS, Runtime, brought_here, left_to_the_runtime
from model_sync.errors import PackagesError

BROUGHT: Final = {"numpy": "2.4.6", "typing-extensions": "4.16.0"}
FILE: Final = Path("pins.txt")


def wheels(*names: str) -> tuple[Path, ...]:
    return tuple(Path(f"{name}-py3-none-any.whl") for name in names)


def test_what_it_brings_is_what_the_layer_is_built_from() -> None:
    asked = PINS.with_suffix(".in").read_text().splitlines()
    assert {*ROOTS} == {line for line in asked if line and not line.startswith("#")}
    here = Target.running()
    by_the_pins = Runtime(Target("none", ""), {}).brings_to(here)
    assert brought_here() == by_the_pins
    assert Runtime.here() == (here, by_the_pins)


def test_for_another_python_it_brings_what_its_layer_would_be_built_from() -> None:
    here = Runtime.here()
    old, new = (
        here.brings_to(Target(python, "aarch64-manylinux_2_28")) for python in ("3.11", "3.13")
    )
    assert old.keys() == new.keys()
    assert old["numpy"] != new["numpy"]


def test_the_same_versions_are_left_out() -> None:
    pinned = wheels("alpha-1.0", "NumPy-2.4.6", "typing_extensions-4.16")
    assert left_to_the_runtime(pinned, BROUGHT, FILE) == (
        wheels("alpha-1.0"),
        ("numpy 2.4.6", "typing-extensions 4.16"),
    )
    assert left_to_the_runtime(pinned[:1], BROUGHT, FILE) == (pinned[:1], ())


def test_other_versions_are_refused_with_both_named() -> None:
    pinned = wheels("alpha-1.0", "numpy-2.4.7", "typing_extensions-4.0.0")
    with pytest.raises(PackagesError) as caught:
        left_to_the_runtime(pinned, BROUGHT, FILE)
    assert str(caught.value) == (
        "pins.txt pins numpy 2.4.7, where the runtime brings 2.4.6; typing-extensions 4.0.0, where "
        "the runtime brings 4.16.0: that is found first, so compile with `uv pip compile "
        "--constraint FILE`, FILE as `packages constraints` prints it"
    )


def test_requirements_of_nothing_else_need_no_set() -> None:
    with pytest.raises(PackagesError, match=r"^pins.txt pins only what the runtime brings itself"):
        left_to_the_runtime(wheels("numpy-2.4.6"), BROUGHT, FILE)
