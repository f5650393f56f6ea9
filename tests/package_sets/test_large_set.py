"""A model with packages larger than Lambda takes answers in the real Lambda runtime."""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from bench.events import http_event
from inference.local.fleet.environment import LambdaEnvironment
from model_store.layout import StoreLayout
from model_store.package_set import SITE_PACKAGES
from model_store.reading import read_package_set, read_upward, read_version
from model_sync.progress import Silent
from model_sync.publishing.publish import publish
from tests.package_sets.real_programs import listing
from tests.support.models import write_adder
from tests.support.places import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="the Lambda runtime exists on Linux only"),
]

REQUIREMENTS: Final = Path(__file__).parent / "large" / "requirements.txt"
LAMBDA_TAKES_BYTES: Final = 250 << 20
"""A function and its layers, unzipped: the quota of Lambda's documentation."""

LEFT_OUT_BYTES: Final = 30 << 20
FOR_TESTING: Final = (
    "pandas/testing.py",
    "pandas/_testing/__init__.py",
    "scipy/_lib/_testutils.py",
    "sklearn/utils/_testing.py",
    "sklearn/utils/estimator_checks.py",
)
"""What code imports that is no test, though it is for testing."""

PIPELINE: Final = """\
import json

import numpy
import pandas
import sklearn
from sklearn.preprocessing import normalize


def decode(request):
    return {"x": numpy.array([json.loads(request.body)], numpy.float32)}


def encode(outputs, request):
    frame = pandas.DataFrame(normalize(outputs["y"]), columns=["a", "b"])
    files = {module.__name__: module.__file__ for module in (pandas, sklearn, numpy)}
    return {"row": frame.iloc[0].to_dict(), "files": files}
"""
RECIPE: Final = """\
[pipeline]
file = "pipeline.py"
[packages]
requirements = "requirements.txt"
"""


@pytest.fixture
def large_store(tmp_path: Path) -> Iterator[StoreLayout]:
    """A store with the model in it; gone after the test, for it is large."""
    folder = write_adder(tmp_path / "scaler", 0.0).parent
    shutil.copy(REQUIREMENTS, folder / "requirements.txt")
    (folder / "pipeline.py").write_text(PIPELINE)
    (folder / "model.toml").write_text(RECIPE)
    try:
        publish(folder, tmp_path / "store", progress=Silent())
        yield StoreLayout(tmp_path / "store")
    finally:
        shutil.rmtree(tmp_path / "store")


def imported(store: StoreLayout, model: str, *files: str) -> list[str]:
    """The files of modules of a model's packages, imported as the function does."""
    names = [file.removesuffix(".py").removesuffix("/__init__").replace("/", ".") for file in files]
    code = (
        f"import json, importlib as i; found = map(i.import_module, {names}); "
        "print(json.dumps([module.__file__ for module in found]))"
    )
    command = [sys.executable, "-m", "inference", "run", "--store", str(store.root), model]
    done = subprocess.run(
        [*command, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    found: list[str] = json.loads(done.stdout)
    return found


def test_packages_larger_than_lambda_takes_answer_from_the_store(large_store: StoreLayout) -> None:
    for name in ("sklearn", "pandas"):
        assert importlib.util.find_spec(name) is None, f"{name} must not be in this environment"
    refs = read_upward(large_store.model("scaler"))
    assert refs
    packages = read_version(large_store, "scaler", refs.versions[1]).content.packages
    assert packages
    manifest = read_package_set(large_store, packages)
    assert manifest.size_bytes > LAMBDA_TAKES_BYTES
    assert manifest.left_out_bytes > LEFT_OUT_BYTES
    folder = large_store.package_set(packages)
    before = listing(folder)
    environ = {"STORE_PATH": str(large_store.root), "DEFAULT_MODEL": "scaler"}
    with LambdaEnvironment(
        "inference.predict_function.handler", environ=environ, cwd=ROOT
    ) as environment:
        answer: dict[str, Any] = environment.invoke(http_event("/predict", b"[3, 4]"))
        assert answer["statusCode"] == 200, (answer, environment.logs())
    body = json.loads(answer["body"])
    assert body["row"] == pytest.approx({"a": 0.6, "b": 0.8})
    site = f"{folder / SITE_PACKAGES}/"
    from_the_set = {name for name, file in body["files"].items() if file.startswith(site)}
    assert from_the_set == {"sklearn", "pandas"}  # numpy is the runtime's own
    assert listing(folder) == before
    assert not list(folder.rglob("__pycache__"))
    assert imported(large_store, "scaler", *FOR_TESTING) == [
        f"{site}{file}" for file in FOR_TESTING
    ]
