from __future__ import annotations

import contextlib
import gc
import sys
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from inference.errors import PipelineError
from inference.pipeline import Pipeline, Request, load_pipeline

WHERE = Path("/versions/7/pipeline/pipeline.py")
IDLE = """
def decode(request): return {}
def encode(outputs, request): return None
"""


def load(code: str, *, path: Path = WHERE, name: str = "pipeline_under_test") -> Pipeline:
    return load_pipeline(code.encode(), path, name)


def answer(pipeline: Pipeline, body: bytes = b"") -> bytes | str:
    return pipeline.encode({}, Request(body)).body


BROKEN = {
    "no decode": ("def encode(outputs, request): ...", "defines no function decode()"),
    "no encode": ("def decode(request): ...", "defines no function encode()"),
    "decode is no function": (IDLE + "decode = 5", "defines no function decode()"),
    "nothing in it": ("", "defines no function decode()"),
    "no Python": ("def decode(:", "failed while it was loaded: invalid syntax"),
    "not UTF-8": ("x = '\udcff'", "failed while it was loaded"),
    "a NUL": ("\0", "failed while it was loaded"),
    "it raises": ("raise OSError('no such\\nfile')", "failed while it was loaded: no such"),
    "it raises without words": ("raise KeyError()", "failed while it was loaded: KeyError"),
    "a module that is not there": ("import nosuchmodule", "No module named 'nosuchmodule'"),
}


@pytest.mark.parametrize(("code", "said"), BROKEN.values(), ids=BROKEN)
def test_a_pipeline_that_cannot_run_is_refused(code: str, said: str) -> None:
    with pytest.raises(PipelineError) as caught:
        load_pipeline(code.encode(errors="surrogateescape"), WHERE, "pipeline_under_test")
    message = str(caught.value)
    assert message.startswith("pipeline.py ")
    assert said in message
    assert "\n" not in message
    assert str(WHERE) not in message


def test_a_pipeline_that_ends_the_process_while_it_is_loaded_is_refused() -> None:
    with pytest.raises(PipelineError, match=r"failed while it was loaded: gone$"):
        load("import sys\nsys.exit('gone')")


@pytest.mark.parametrize("code", [IDLE, "raise ValueError", "def decode(:"])
def test_no_module_is_left_behind(code: str) -> None:
    before = set(sys.modules)
    with contextlib.suppress(PipelineError):
        load(code, name="pipeline_left_behind")
    assert set(sys.modules) - before == set()


def test_a_pipeline_finds_its_data_beside_its_file(tmp_path: Path) -> None:
    (tmp_path / "build").mkdir()
    (tmp_path / "build" / "config.txt").write_text("in seven")
    code = """
from pathlib import Path
CONFIG = (Path(__file__).parent / "build/config.txt").read_text()
def decode(request): return {}
def encode(outputs, request): return [CONFIG, __file__, __name__]
"""
    path = tmp_path / "pipeline.py"
    loaded = load(code, path=path)
    assert answer(loaded) == f'["in seven","{path}","pipeline_under_test"]'


def test_a_pipelines_own_options_are_not_this_modules() -> None:
    # `from __future__ import annotations` here would make Field.type a string there.
    code = """
from dataclasses import dataclass, fields
@dataclass
class Point:
    x: int
def decode(request): return {}
def encode(outputs, request): return fields(Point)[0].type is int
"""
    assert answer(load(code)) == "true"


DATACLASS = """
from __future__ import annotations
from dataclasses import dataclass
import enum

@dataclass
class Answer:
    label: str
    number: int = {number}

class Kind(enum.Enum):
    A = {number}

CALLS = []

def decode(request):
    CALLS.append(request.body)
    return {{}}

def encode(outputs, request):
    answer = Answer(Kind.A.name)
    return {{"label": answer.label, "number": answer.number, "calls": len(CALLS),
            "module": Answer.__module__}}
"""


def test_what_a_pipeline_imports_from_its_folder_leaves_no_bytecode_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "beside_the_pipeline.py").write_text("ANSWER = 7")
    code = "import beside_the_pipeline\n" + IDLE.replace("None", "beside_the_pipeline.ANSWER")
    assert answer(load(code, path=tmp_path / "pipeline.py")) == "7"
    assert [path.name for path in tmp_path.iterdir()] == ["beside_the_pipeline.py"]
    del sys.modules["beside_the_pipeline"]


def test_two_versions_code_lives_side_by_side() -> None:
    old = load(DATACLASS.format(number=1), name="pipeline_1")
    new = load(DATACLASS.format(number=2), name="pipeline_2")
    old.decode(Request(b"a"))
    old.decode(Request(b"b"))
    new.decode(Request(b"c"))
    assert answer(old) == '{"label":"A","number":1,"calls":2,"module":"pipeline_1"}'
    assert answer(new) == '{"label":"A","number":2,"calls":1,"module":"pipeline_2"}'


def test_a_module_goes_with_its_pipeline() -> None:
    loaded: Pipeline | None = load(DATACLASS.format(number=1))
    assert loaded is not None
    module: weakref.ref[Any] = weakref.ref(loaded._module)
    assert answer(loaded)
    loaded = None
    gc.collect()
    assert module() is None


def test_what_a_pipeline_is_given_cannot_be_changed_by_it() -> None:
    request = Request(b"")
    assert dict(request.parameters) == {}
    with pytest.raises(TypeError):
        request.parameters["a"] = "b"  # type: ignore[index]
    assert dict(Request(b"").parameters) == {}


def test_numpy_is_there_for_a_pipeline() -> None:
    code = "import numpy\n" + IDLE.replace("return {}", "return {'x': numpy.ones(2)}")
    assert load(code).decode(Request(b""))["x"].tolist() == np.ones(2).tolist()
