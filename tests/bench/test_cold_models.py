"""The graphs of the cold starts: valid, answered by finite numbers, and fused as exported ones."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import onnxruntime
import pytest

from bench.cold_models import MODELS, image, text
from bench.cold_models.bert import BASE, LARGE, MINILM, BertSizes, write_bert
from bench.cold_models.resnet import RESNET_50, ResnetSizes, write_resnet

if TYPE_CHECKING:
    from pathlib import Path

BERT = BertSizes(layers=2, width=64, heads=4, words=100, positions=32)
RESNET = ResnetSizes(blocks=(1, 2), width=8, classes=10, image=32)


@pytest.fixture
def bert(tmp_path: Path) -> Path:
    write_bert(tmp_path / "bert.onnx", BERT)
    return tmp_path / "bert.onnx"


@pytest.fixture
def resnet(tmp_path: Path) -> Path:
    write_resnet(tmp_path / "resnet.onnx", RESNET)
    return tmp_path / "resnet.onnx"


def session(graph: Path, optimized: Path | None = None) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    if optimized:
        level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
        options.graph_optimization_level = level
        options.optimized_model_filepath = str(optimized)
    return onnxruntime.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])


def fused(graph: Path) -> Counter[str]:
    optimized = graph.with_suffix(".optimized")
    session(graph, optimized)
    return Counter(node.op_type for node in onnx.load(optimized).graph.node)


def test_both_graphs_pass_the_checker(bert: Path, resnet: Path) -> None:
    for graph in (bert, resnet):
        onnx.checker.check_model(str(graph), full_check=True)


def test_a_bert_answers_finite_numbers_that_differ_by_token(bert: Path) -> None:
    hidden, pooled = session(bert).run(None, text(BERT.words, 16))
    assert hidden.shape == (1, 16, BERT.width)
    assert pooled.shape == (1, BERT.width)
    assert np.isfinite(hidden).all()
    assert np.isfinite(pooled).all()
    assert hidden.std(axis=1).min() > 0.01


def test_a_masked_token_changes_nothing_of_the_others(bert: Path) -> None:
    feed = text(BERT.words, 16)
    before = session(bert).run(None, feed)[0]
    feed["input_ids"][0, -1] += 1
    after = session(bert).run(None, feed)[0]
    np.testing.assert_allclose(before[:, :14], after[:, :14], atol=1e-5)
    assert np.abs(before[:, -1] - after[:, -1]).max() > 0.01


def test_a_resnet_answers_finite_numbers_near_one(resnet: Path) -> None:
    (logits,) = session(resnet).run(None, image(RESNET.image))
    assert logits.shape == (1, RESNET.classes)
    assert 0.01 < logits.std() < 100


def test_attention_layer_norm_and_gelu_of_a_bert_are_fused(bert: Path) -> None:
    found = fused(bert)
    assert found["Attention"] == BERT.layers
    assert found["LayerNormalization"] + found["SkipLayerNormalization"] == 2 * BERT.layers + 1
    assert found["BiasGelu"] == BERT.layers
    assert not found.keys() & {"Softmax", "Erf", "ReduceMean"}


def test_convolutions_of_a_resnet_are_fused_with_what_follows(resnet: Path) -> None:
    assert fused(resnet)["FusedConv"] >= 2 * sum(RESNET.blocks)


def test_the_same_seed_gives_the_same_bytes(bert: Path, tmp_path: Path) -> None:
    write_bert(tmp_path / "again.onnx", BERT)
    assert (tmp_path / "again.onnx").read_bytes() == bert.read_bytes()
    write_bert(tmp_path / "other.onnx", BERT, seed=1)
    assert (tmp_path / "other.onnx").read_bytes() != bert.read_bytes()


def test_a_graph_is_written_once(tmp_path: Path) -> None:
    path = tmp_path / "minilm.onnx"
    path.write_bytes(b"there already")
    assert MODELS["minilm"].write(tmp_path, "minilm") == path
    assert path.read_bytes() == b"there already"


@pytest.mark.parametrize(
    ("sizes", "megabytes"),
    [(MINILM, 91), (RESNET_50, 102), (BASE, 438), (LARGE, 1341)],
    ids=["minilm", "resnet50", "bert-base", "bert-large"],
)
def test_what_is_said_of_a_size_is_what_the_real_model_has(
    sizes: BertSizes | ResnetSizes, megabytes: int
) -> None:
    assert round(sizes.weight_bytes / 1e6) == megabytes


def test_what_is_said_of_a_size_is_what_is_written(bert: Path, resnet: Path) -> None:
    for graph, sizes in ((bert, BERT), (resnet, RESNET)):
        weights = sum(len(each.raw_data) for each in onnx.load(graph).graph.initializer)
        assert weights == pytest.approx(sizes.weight_bytes, rel=0.06)
