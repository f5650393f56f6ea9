"""golden/ holds what make_golden.py writes, and every prediction mode answers it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import onnxruntime as ort
import pytest

from inference.pipeline import Request

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def files_in(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def nearly(answer: dict[str, Any]) -> dict[str, Any]:
    """Return `answer` with a score that equals what another processor computes."""
    return answer | {"score": pytest.approx(answer["score"], rel=1e-4, abs=1e-5)}


def test_the_script_writes_what_is_committed(
    magika_folder: Path, import_file: Callable[[Path], Any], tmp_path: Path
) -> None:
    import_file(magika_folder / "make_golden.py").main(tmp_path)
    written, committed = files_in(tmp_path), files_in(magika_folder / "golden")
    assert written.keys() == committed.keys()
    for name, data in written.items():
        if name.endswith("expected.json"):
            assert json.loads(data) == nearly(json.loads(committed[name])), name
        else:
            assert data == committed[name], name


@pytest.mark.parametrize("mode", ["high-confidence", "medium-confidence", "best-guess"])
def test_the_pipeline_gives_the_committed_answers_in_every_mode(
    magika_folder: Path, pipeline_in_mode: Callable[[str], Any], mode: str
) -> None:
    pipeline = pipeline_in_mode(mode)
    session = ort.InferenceSession(magika_folder / "build" / "model.onnx")
    for case in (magika_folder / "golden").iterdir():
        (path,) = case.glob("request.*")
        request = Request(path.read_bytes())
        (scores,) = session.run(["target_label"], pipeline.decode(request))
        expected = json.loads((case / "expected.json").read_bytes())
        assert pipeline.encode({"target_label": scores}, request) == nearly(expected), case.name


def test_the_readme_shows_a_real_answer(magika_folder: Path) -> None:
    shown = (magika_folder / "README.md").read_text().split("```json\n")[1].split("```")[0]
    expected = (magika_folder / "golden" / "html" / "expected.json").read_bytes()
    assert json.loads(shown) == nearly(json.loads(expected))
