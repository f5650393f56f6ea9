"""A function starts by importing its packages quickly, and has all of them afterwards."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from inference.lambda_runtime.deferred_imports import deferred
from tests.support.places import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

LATE = "coldpress_imported_late"


def answer(code: str, **environ: str) -> str:
    """Return the output of a fresh process that imports the entry point and runs this code."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", f"import inference.predict_function, sys\n{code}"],
        cwd=ROOT,
        env={"STORE_PATH": "/nowhere/at/all"} | environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture
def late(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A module that is not imported yet, and whose import can be observed."""
    (tmp_path / f"{LATE}.py").write_text("import sys\nVALUE = object()\nsys.late_runs += 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "late_runs", 0, raising=False)
    yield
    sys.modules.pop(LATE, None)


def runs() -> int:
    count: int = sys.late_runs  # type: ignore[attr-defined]
    return count


@pytest.mark.usefixtures("late")
def test_a_deferred_module_is_imported_by_the_first_use_and_once() -> None:
    with deferred(LATE):
        stand_in = __import__(LATE)
    assert runs() == 0
    first = stand_in.VALUE
    assert runs() == 1
    assert stand_in.VALUE is first
    assert __import__(LATE).VALUE is first
    assert runs() == 1


@pytest.mark.usefixtures("late")
def test_who_imports_a_deferred_module_later_imports_the_module_itself() -> None:
    with deferred(LATE):
        stand_in = __import__(LATE)
    assert LATE not in sys.modules
    module = __import__(LATE)
    assert type(module) is type(sys)
    assert stand_in.VALUE is module.VALUE
    assert runs() == 1


@pytest.mark.usefixtures("late")
def test_what_is_imported_from_a_deferred_module_is_its_own() -> None:
    with deferred(LATE):
        value = __import__(LATE, fromlist=["VALUE"]).VALUE  # as `from late import VALUE` does
        assert runs() == 1
        assert type(__import__(LATE)) is type(sys)
    assert value is sys.modules[LATE].VALUE


@pytest.mark.usefixtures("late")
def test_an_import_that_fails_leaves_no_stand_in() -> None:
    with pytest.raises(ZeroDivisionError), deferred(LATE):
        raise ZeroDivisionError
    assert LATE not in sys.modules


@pytest.mark.usefixtures("late")
def test_an_attribute_that_the_module_lacks_is_missing() -> None:
    with deferred(LATE):
        stand_in = __import__(LATE)
    with pytest.raises(AttributeError, match="NOTHING"):
        _ = stand_in.NOTHING


def test_a_module_that_was_imported_before_is_left_as_it_is() -> None:
    with deferred("subprocess"):
        assert sys.modules["subprocess"] is subprocess


def test_what_is_put_off_is_not_imported_and_can_be() -> None:
    code = """
from importlib import import_module
from inference.lambda_runtime.startup import UNUSED
early = [name for name in UNUSED if name in sys.modules]
print(early, [import_module(name).__spec__.name for name in UNUSED] == list(UNUSED))
"""
    assert answer(code) == "[] True"


def test_what_powertools_does_with_a_module_that_was_put_off_works() -> None:
    code = """
from aws_lambda_powertools.event_handler import AppSyncResolver
app = AppSyncResolver()
@app.async_batch_resolver(type_name="Query", field_name="twice", aggregate=False)
async def twice(event, n):
    return 2 * n
info = {"fieldName": "twice", "parentTypeName": "Query"}
print(app.resolve([{"info": info, "arguments": {"n": n}, "source": None} for n in (1, 2)], None))
"""
    assert answer(code) == "[2, 4]"


def test_what_numpy_does_with_a_module_that_was_put_off_works() -> None:
    code = "import io, numpy; b = io.BytesIO(); numpy.arange(3).dump(b); b.seek(0); "
    code += "print(numpy.load(b, allow_pickle=True).tolist())"
    assert answer(code) == "[0, 1, 2]"


def test_garbage_is_collected_again_and_what_was_imported_is_passed_over() -> None:
    code = "import gc; print(gc.isenabled(), gc.get_freeze_count() > len(gc.get_objects()))"
    assert answer(code) == "True True"


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="counts threads by proc(5)")
def test_importing_starts_no_threads() -> None:
    assert answer("import os; print(len(os.listdir('/proc/self/task')))") == "1"


@pytest.mark.parametrize("name", ["OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"])
def test_whoever_says_how_many_threads_linear_algebra_takes_decides(name: str) -> None:
    code = "import os; print([each for each in os.environ.items() if 'THREADS' in each[0]])"
    assert answer(code, **{name: "2"}) == f"[({name!r}, '2')]"
