from __future__ import annotations

import os
from typing import Final

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from model_store.errors import InvalidNameError
from model_store.names import check_relative_path
from tests.support import strategies
from tests.support.strategies import untimed

PATHS: Final = [
    "a", "model.onnx", "a/b/c", ".hidden", "..a", "a..", "...", "a b", " ", "größe/モデル.onnx",
    "e\u0301", "\u00e9", "C:", "~", "-rf", "a:b", "a*?", "'\"$", "x" * 255, "é" * 127,
    "/".join(["x" * 69] * 50),
]  # fmt: skip
NO_PATHS: Final = {
    "empty": "",
    "absolute": "/a",
    "root": "/",
    "doubled slash": "a//b",
    "trailing slash": "a/",
    "here": ".",
    "here inside": "a/./b",
    "parent": "..",
    "parent first": "../a",
    "parent inside": "a/../b",
    "parent last": "a/..",
    "backslash": "a\\b",
    "backslash parent": "..\\a",
    "newline": "a\nb",
    "null": "a\x00b",
    "escape": "\x1b[31m",
    "delete": "a\x7f",
    "C1 control": "a\x9b31m",
    "next line": "a\x85b",
    "lone surrogate": "\ud800",
    "undecodable byte": os.fsdecode(b"\xff"),
    "long component": "x" * 256,
    "component long in bytes": "é" * 128,
    "long path": "/".join(["x" * 69] * 51),
}


@pytest.mark.parametrize("path", PATHS, ids=lambda path: ascii(path)[:20])
def test_a_path_may_be(path: str) -> None:
    assert check_relative_path(path) == path


@pytest.mark.parametrize("path", NO_PATHS.values(), ids=NO_PATHS)
def test_a_path_may_not_be(path: str) -> None:
    with pytest.raises(InvalidNameError) as caught:
        check_relative_path(path)
    assert str(caught.value).isprintable()


@untimed
@given(strategies.relative_paths)
def test_ordinary_components_make_a_path(path: str) -> None:
    assert check_relative_path(path) == path


@untimed
@given(st.lists(st.sampled_from(["..", ".", "", "a", "/", "\\", "\n"])).map("/".join) | st.text())
@example("a/../../b")
def test_what_is_accepted_stays_in_its_folder(path: str) -> None:
    try:
        check_relative_path(path)
    except InvalidNameError:
        return
    assert os.path.normpath(f"/folder/{path}") == f"/folder/{path}"
    assert len(os.fsencode(path)) <= 3500
