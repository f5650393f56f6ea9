"""Real packages do from a published set what they are for: each in a process of its own."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from tests.package_sets.real_programs import real_programs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.package_sets.real_programs import Programs
    from tests.package_sets.real_set import LargeSet

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="the set is for Linux"),
]

NUMPY = """\
import numpy, scipy.linalg
matrix = numpy.array([[4.0, 1.0], [1.0, 3.0]])
solved = numpy.linalg.solve(matrix, [1.0, 2.0]).tolist()
said = [numpy.__file__, [*numpy.show_config(mode="dicts")], solved,
        scipy.linalg.cho_solve(scipy.linalg.cho_factor(matrix), [1.0, 2.0]).tolist()]
"""
FIT = """\
import os, pickle
from pathlib import Path
from joblib import Parallel, delayed
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score

def elsewhere():
    import sklearn
    return os.getpid(), sklearn.__file__

if __name__ == "__main__":
    X, y = load_iris(return_X_y=True)
    forest = RandomForestClassifier(10, random_state=0, n_jobs=2).fit(X, y)
    line = LogisticRegression(max_iter=500).fit(X, y)
    Path("fitted.pickle").write_bytes(pickle.dumps([forest, line]))
    scores = cross_val_score(line, X, y, n_jobs=2)
    pids, files = zip(*Parallel(n_jobs=2)(delayed(elsewhere)() for _ in range(4)))
    said = [[each.predict(X).tolist() for each in (forest, line)], y.tolist(), scores.tolist(),
            os.getpid() in pids, [*set(files)]]
"""
PREDICT = """\
import pickle
from pathlib import Path
fitted = pickle.loads(Path("fitted.pickle").read_bytes())
from sklearn.datasets import load_iris
said = [each.predict(load_iris().data).tolist() for each in fitted]
"""
TOKENIZERS = """\
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
tokenizer = Tokenizer(models.BPE())
tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel()
tokenizer.decoder = decoders.ByteLevel()
trainer = trainers.BpeTrainer(
    vocab_size=300, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False)
tokenizer.train_from_iterator(["cold press", "cold start"] * 9, trainer)
ids = tokenizer.encode(" cold \\u2615 press").ids
said = [len(ids), tokenizer.decode(ids)]
"""
TRANSFORMERS = """\
import sys
import transformers
lazy = "transformers.models.bert.configuration_bert" not in sys.modules
from transformers import AutoConfig, AutoTokenizer, BertConfig, PreTrainedTokenizerFast
from transformers.utils import is_tokenizers_available, is_torch_available
from tokenizers import Tokenizer, models, pre_tokenizers
words = Tokenizer(models.WordLevel({"?": 0, "cold": 1, "start": 2}, unk_token="?"))
words.pre_tokenizer = pre_tokenizers.Whitespace()
PreTrainedTokenizerFast(tokenizer_object=words, unk_token="?").save_pretrained("saved")
BertConfig(num_hidden_layers=3).save_pretrained("saved")
again = AutoTokenizer.from_pretrained("saved")
said = [lazy, is_tokenizers_available(), is_torch_available(), again("cold hot start")["input_ids"],
        again.decode([1, 2]), AutoConfig.from_pretrained("saved").num_hidden_layers]
"""
IMAGES = """\
import io, os, sys
import numpy
before = [*sys.path]
import cv2
from PIL import Image, ImageDraw, ImageFont, features
pixels = numpy.zeros((40, 60, 3), numpy.uint8)
pixels[:, 20:] = (10, 200, 30)
_, png = cv2.imencode(".png", pixels)
same = bool((cv2.imdecode(png, cv2.IMREAD_COLOR) == pixels).all())
small = cv2.resize(pixels, (30, 20)).shape
decoded = []
for kind in ("PNG", "JPEG", "WEBP"):
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, kind)
    there = numpy.asarray(Image.open(io.BytesIO(stream.getvalue()))).astype(int)
    decoded.append(bool(abs(there - pixels)[:, 30:].max() < 8))
page = Image.new("L", (80, 20))
ImageDraw.Draw(page).text((2, 2), "cold", fill=255, font=ImageFont.load_default())
said = [same, small, decoded, page.getbbox() is not None, features.check("freetype2"),
        cv2.data.haarcascades, os.path.isdir(cv2.data.haarcascades), sys.path == before]
"""
METADATA = """\
from importlib.metadata import entry_points, files, requires, version
from importlib.resources import files as resources
import sys
tools = entry_points(group="console_scripts")
said = [{name: version(name) for name in NAMES},
        callable(tools["transformers"].load()),
        [each.dist.name for each in tools.select(name="tqdm")],
        any("numpy" in need for need in requires("scikit-learn")),
        len(files("pandas")) > 1000,
        resources("tzdata.zoneinfo").joinpath("Europe/Paris").read_bytes()[:4].decode()]
"""


@pytest.fixture(scope="module")
def programs(large_set: LargeSet, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Programs]:
    with real_programs(large_set, tmp_path_factory.mktemp("real-packages")) as running:
        yield running


def test_numpy_is_the_runtimes_and_scipy_computes_with_it(
    programs: Programs, large_set: LargeSet
) -> None:
    (file, built, *solved), hooked = programs.say(NUMPY)
    assert not file.startswith(str(large_set.site))
    assert "Build Dependencies" in built
    assert solved == [pytest.approx([1 / 11, 7 / 11])] * 2
    assert "scipy.linalg" in hooked
    assert not any(name.startswith("numpy") for name in hooked)


def test_scikit_learn_fits_with_worker_processes_and_another_process_loads_what_it_fitted(
    programs: Programs, large_set: LargeSet
) -> None:
    (predicted, truth, scores, is_here, files), hooked = programs.say(FIT)
    assert {"sklearn.ensemble", "joblib"} <= hooked
    for each in predicted:
        assert sum(a == b for a, b in zip(each, truth, strict=True)) > 0.95 * len(truth)
    assert min(scores) > 0.9
    # Joblib starts its workers again, by a command of its own.
    assert not is_here
    assert files == [str(large_set.site / "sklearn" / "__init__.py")]
    again, hooked = programs.say(PREDICT)
    assert again == predicted
    assert "sklearn.ensemble" in hooked


def test_tokenizers_are_trained_and_give_back_what_they_encode(programs: Programs) -> None:
    (n_tokens, text), hooked = programs.say(TOKENIZERS)
    assert 4 < n_tokens < len(text.encode())
    assert text == " cold \u2615 press"
    assert "tokenizers" in hooked


def test_transformers_imports_lazily_and_loads_what_it_saved(programs: Programs) -> None:
    said, hooked = programs.say(TRANSFORMERS)
    is_lazy, has_tokenizers, has_torch, *loaded = said
    assert (is_lazy, has_tokenizers, has_torch) == (True, True, False)
    assert loaded == [[1, 0, 2], "cold start", 3]
    assert "transformers.models.bert.configuration_bert" in hooked


def test_images_are_decoded_and_drawn_upon(programs: Programs, large_set: LargeSet) -> None:
    said, hooked = programs.say(IMAGES)
    data = f"{large_set.site}/cv2/data/"
    # cv2 adds its folders to sys.path while it is imported, and takes them out.
    assert said == [True, [20, 30, 3], [True] * 3, True, True, data, True, True]
    assert {"PIL.Image", "cv2.data"} <= hooked


def test_every_package_has_its_version_and_what_it_declares(
    programs: Programs, large_set: LargeSet
) -> None:
    wheels = {wheel.name: wheel.version for wheel in large_set.manifest.wheels}
    (versions, *declared), _ = programs.say(f"NAMES = {[*wheels]!r}\n{METADATA}")
    assert versions == wheels
    assert declared == [True, ["tqdm"], True, True, "TZif"]
