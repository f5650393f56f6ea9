from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from model_sync.errors import TrialError
from model_sync.progress import Silent
from model_sync.publishing.publish import publish
from tests.support.models import write_adder

if TYPE_CHECKING:
    from pathlib import Path

PIPELINE = (
    "import on_the_path_only\n\ndef decode(request): ...\n\ndef encode(outputs, request): ...\n"
)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = write_adder(tmp_path / "adder", 1).parent
    (folder / "pipeline.py").write_text(PIPELINE)
    (folder / "model.toml").write_text('[pipeline]\nfile = "pipeline.py"\n')
    return folder


def test_the_trial_imports_what_this_process_can(
    tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As Lambda does with a layer: on sys.path in the process, and in no variable.
    (tmp_path / "layer").mkdir()
    (tmp_path / "layer" / "on_the_path_only.py").write_text("")
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path / "layer")])
    assert publish(model, tmp_path / "store", progress=Silent()).created


def test_the_trial_imports_nothing_more(tmp_path: Path, model: Path) -> None:
    with pytest.raises(TrialError, match="No module named 'on_the_path_only'"):
        publish(model, tmp_path / "store", progress=Silent())
