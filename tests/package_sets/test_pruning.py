"""Files that a server never needs are left out of a set; files that code uses are not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from model_sync.package_sets.pruning import LeftOut
from tests.support.wheels import write_wheel

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

PACKAGE = "pkg/__init__.py"


def left_out(
    tmp_path: Path, files: Iterable[str] | dict[str, str], *, pruned: bool = True
) -> set[str]:
    """Return the files that are left out of a wheel with these files."""
    texts = files if isinstance(files, dict) else dict.fromkeys(files, "")
    wheel = write_wheel(tmp_path, "pkg", files=texts)
    found = LeftOut.of_wheels([wheel], pruned=pruned)
    assert found.files == len(found.paths[wheel.name])
    return set(found.paths[wheel.name])


@pytest.mark.parametrize(
    "file",
    [
        "pkg/tests/__init__.py",
        "pkg/tests/data/table.csv",
        "pkg/tests/_native.cpython-311-x86_64-linux-gnu.so",
        "pkg/inner/test/test_it.py",
        "tests/test_all.py",
        *(f"pkg/a.{end}" for end in ("h", "hh", "hpp", "hxx", "c", "cc", "cpp", "cxx", "a")),
        *(f"pkg/a.{end}" for end in ("pyx", "pxd", "pxi", "pyx.tp", "pxd.in", "pyi")),
        "pkg-1.0.data/purelib/pkg/a.h",
        "pkg-1.0.data/platlib/pkg/tests/test_it.py",
    ],
)
def test_what_a_server_never_needs_is_left_out(tmp_path: Path, file: str) -> None:
    beside = {f"{folder}/test_one.py" for folder in ("pkg/tests", "pkg-1.0.data/platlib/pkg/tests")}
    files = {PACKAGE, file, *beside}
    assert left_out(tmp_path, files) == {file, *beside}
    assert left_out(tmp_path, files, pruned=False) == set()


@pytest.mark.parametrize(
    "file",
    [
        "pkg/testing/__init__.py",
        "pkg/_testing.py",
        "pkg/tests.py",
        "pkg/latest/__init__.py",
        "pkg/data/test/images.bin",
        "pkg/a.so",
        "pkg/libs/liba.so.1",
        "pkg/a.cu",
        "pkg/a.lib",
        "pkg/py.typed",
        "pkg-1.0.dist-info/licenses/tests/LICENSE.c",
        "pkg-1.0.dist-info/sboms/tests/a.py",
        "pkg-1.0.data/data/share/tests/a.py",
    ],
)
def test_what_only_looks_like_it_stays(tmp_path: Path, file: str) -> None:
    assert left_out(tmp_path, {PACKAGE, file}) == set()


TESTS = {"pkg/tests/__init__.py": "", "pkg/tests/support.py": "", "pkg/tests/table.csv": ""}


@pytest.mark.parametrize(
    ("place", "line"),
    [
        ("pkg/__init__.py", "from .tests import support"),
        ("pkg/__init__.py", "from . import tests"),
        ("pkg/__init__.py", "def f():\n    import pkg.tests.support as s"),
        ("pkg/__init__.py", "if 1: from pkg import (a,\n  tests,\n)"),
        ("pkg/__init__.py", "from pkg import a, \\\n  tests"),
        ("pkg/inner/deep.py", "from ..tests.support import thing"),
        ("pkg/inner/__init__.py", "from ..tests import support"),
        ("pkg-1.0.data/purelib/pkg/more.py", "from .tests import support"),
    ],
)
def test_tests_that_other_code_imports_from_stay_whole(
    tmp_path: Path, place: str, line: str
) -> None:
    files = {PACKAGE: "", **TESTS, "pkg/inner/tests/test_it.py": ""}
    assert left_out(tmp_path, {**files, place: line}) == {"pkg/inner/tests/test_it.py"}


@pytest.mark.parametrize(
    "line",
    [
        "# from .tests import support",
        "'import the tests'",
        "from .other import test",
        "import tests",
        "from .. import tests",
        "from .tests import (",
        "\0from .tests import support",
        "from .data import load_test, testing",
    ],
)
def test_tests_that_nothing_imports_are_left_out(tmp_path: Path, line: str) -> None:
    assert left_out(tmp_path, {PACKAGE: line, **TESTS}) == TESTS.keys()


def test_what_kept_tests_import_stays_too(tmp_path: Path) -> None:
    files = {
        PACKAGE: "from .a.tests import x",
        "pkg/a/tests/__init__.py": "from pkg.b.tests import x",
        "pkg/b/tests/__init__.py": "from pkg.c.tests import x",
        "pkg/c/tests/__init__.py": "",
        "pkg/d/tests/__init__.py": "from pkg.a.tests import x",
    }
    assert left_out(tmp_path, files) == {"pkg/d/tests/__init__.py"}


def test_tests_that_another_wheel_imports_from_stay(tmp_path: Path) -> None:
    wheels = [
        write_wheel(tmp_path, "alpha", files={"alpha/__init__.py": "", "alpha/tests/a.py": ""}),
        write_wheel(tmp_path, "beta", files={"beta.py": "import alpha.tests.a"}),
    ]
    assert LeftOut.of_wheels(wheels[:1], pruned=True).files == 1
    assert LeftOut.of_wheels(wheels, pruned=True).files == 0


def test_a_wheel_that_is_nothing_but_tests_is_not_emptied(tmp_path: Path) -> None:
    assert left_out(tmp_path, {"test/__init__.py", "test/a.py", "test/a.c"}) == {"test/a.c"}


@pytest.mark.parametrize(
    "code",
    [
        "import lazy_loader as lazy\nx = lazy.attach_stub(__name__, __file__)",
        "stub = source.with_suffix('.pyi')",
        'stub = f"{source}.pyi"',
    ],
)
def test_stubs_that_a_package_reads_stay(tmp_path: Path, code: str) -> None:
    stubs = {"pkg/__init__.pyi": "", "pkg/a.pyi": ""}
    assert left_out(tmp_path, {PACKAGE: code, **stubs}) == set()
    assert left_out(tmp_path, {PACKAGE: "# see a.pyi", **stubs}) == stubs.keys()
    in_tests = {"pkg/tests/test_it.py": code}
    assert left_out(tmp_path, {PACKAGE: "", **in_tests, **stubs}) == {*stubs, *in_tests}


@pytest.mark.parametrize("pruned", [True, False])
def test_bytecode_that_would_go_stale_is_always_left_out(tmp_path: Path, pruned: bool) -> None:
    stale = {
        "pkg/a.pyc",
        "pkg/__pycache__/a.cpython-311.pyc",
        "pkg/__pycache__/gone.cpython-39.pyc",
    }
    files = {PACKAGE, "pkg/a.py", "pkg/only_bytecode.pyc", *stale}
    assert left_out(tmp_path, files, pruned=pruned) == stale


def test_it_is_counted(tmp_path: Path) -> None:
    files = {
        PACKAGE: "1",
        "pkg/a.c": "22",
        "pkg/tests/a.py": "333",
        "pkg/tests/__pycache__/a.pyc": "4",
    }
    wheels = [write_wheel(tmp_path, name, files=files) for name in ("alpha", "beta")]
    found = LeftOut.of_wheels(wheels, pruned=True)
    assert (found.files, found.size_bytes) == (6, 12)


def test_a_wheel_that_cannot_be_read_is_left_to_unpacking(tmp_path: Path) -> None:
    broken = tmp_path / "broken-1.0-py3-none-any.whl"
    broken.write_bytes(b"no archive")
    cut = write_wheel(tmp_path, "cut", files={PACKAGE: "from . import tests", **TESTS})
    data = cut.read_bytes()
    cut.write_bytes(data.replace(b"from . import tests", b"from . import other", 1))
    found = LeftOut.of_wheels([broken, cut], pruned=True)
    assert found.paths == {broken.name: set(), cut.name: TESTS.keys()}
