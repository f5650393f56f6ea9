"""Libraries of a set that an extension links to: those the linker would find, in order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from model_sync.package_sets.shared_libraries import Libraries
from tests.package_sets.tiny_elf import (
    CONSTANTS,
    FUNCTION,
    GLOBAL,
    HIDDEN,
    THREAD_LOCAL,
    UNDEFINED,
    UNIQUE,
    Symbol,
    tiny_elf,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

LIBS = "$ORIGIN/../a.libs"


def found(site: Path, files: Mapping[str, bytes]) -> tuple[str, ...]:
    """Return the libraries that `a/ext.so` links to, in a set of these files."""
    for name, data in files.items():
        (site / name).parent.mkdir(exist_ok=True)
        (site / name).write_bytes(data)
    return Libraries(site).of("a/ext.so")


def test_a_library_comes_after_what_it_needs_itself(tmp_path: Path) -> None:
    files = {
        "a/ext.so": tiny_elf(["one.so", "libc.so.6", "two.so"], rpath=LIBS),
        "a.libs/one.so": tiny_elf(["two.so", "three.so"], rpath="${ORIGIN}"),
        "a.libs/two.so": tiny_elf(["three.so", "one.so"], rpath="/usr/lib:$ORIGIN"),
        "a.libs/three.so": tiny_elf(),
        "a.libs/four.so": tiny_elf(),
    }
    assert found(tmp_path, files) == ("a.libs/three.so", "a.libs/two.so", "a.libs/one.so")


@pytest.mark.parametrize(
    ("of_the_extension", "of_the_library", "is_found"),
    [
        ({"rpath": LIBS}, {}, True),
        ({"runpath": LIBS}, {}, False),
        ({"rpath": LIBS, "runpath": LIBS}, {}, False),
        ({"rpath": LIBS}, {"runpath": "$ORIGIN/x"}, False),
        ({"runpath": LIBS}, {"runpath": "$ORIGIN"}, True),
        ({"rpath": LIBS}, {"rpath": "$ORIGIN/x"}, True),
    ],
)
def test_what_a_library_needs_is_looked_for_where_the_linker_would(
    tmp_path: Path,
    of_the_extension: dict[str, Any],
    of_the_library: dict[str, Any],
    *,
    is_found: bool,
) -> None:
    """A runpath is for what its own file needs; an rpath for what that needs in turn, too."""
    files = {
        "a/ext.so": tiny_elf(["one.so"], **of_the_extension),
        "a.libs/one.so": tiny_elf(["two.so"], **of_the_library),
        "a.libs/two.so": tiny_elf(),
    }
    expected = ("a.libs/two.so", "a.libs/one.so") if is_found else ("a.libs/one.so",)
    assert found(tmp_path, files) == expected


def test_a_runpath_is_looked_in_and_not_the_rpath_beside_it(tmp_path: Path) -> None:
    files = {
        "a/ext.so": tiny_elf(["one.so"], rpath="$ORIGIN", runpath=LIBS),
        "a/one.so": tiny_elf(),
        "a.libs/one.so": tiny_elf(),
    }
    assert found(tmp_path, files) == ("a.libs/one.so",)


@pytest.mark.parametrize(
    ("symbol", "is_shared"),
    [
        (Symbol("counter"), True),
        (Symbol("counter", binding=GLOBAL), True),
        (Symbol("counter", THREAD_LOCAL), True),
        (Symbol("counter", binding=UNIQUE), False),
        (Symbol("counter", visibility=HIDDEN), False),
        (Symbol("counter", section=UNDEFINED), False),
        (Symbol("counter", section=CONSTANTS), False),
        (Symbol("counter", FUNCTION), False),
        (Symbol("_ZTV7Counter"), False),
    ],
)
def test_files_that_share_a_variable_are_left_to_the_linker(
    tmp_path: Path, symbol: Symbol, *, is_shared: bool
) -> None:
    """Loaded one after another, each would have its own."""
    files = {
        "a/ext.so": tiny_elf(["one.so"], [Symbol("mine"), symbol], rpath=LIBS),
        "a.libs/one.so": tiny_elf([], [symbol, Symbol("its")]),
    }
    assert found(tmp_path, files) == (() if is_shared else ("a.libs/one.so",))


@pytest.mark.parametrize("kept", [0, 20, 100, 300])
def test_what_is_no_whole_file_links_to_nothing(tmp_path: Path, kept: int) -> None:
    whole = tiny_elf(["one.so"], [Symbol("counter")], rpath=LIBS)
    files = {"a/ext.so": whole[:kept], "a.libs/one.so": whole}
    assert found(tmp_path, files) == ()
