"""pipeline.py around the graph answers as the package `magika` does: label, model label, score."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import pickle
import plistlib
import py_compile
import random
import sqlite3
import struct
import sys
import sysconfig
import tarfile
import wave
import zipfile
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime as ort
import pytest
from hypothesis import given
from hypothesis import strategies as st
from magika import Magika, PredictionMode
from magika.types import Seekable

from inference.pipeline import Request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from magika import MagikaResult

MODES = {
    "high-confidence": PredictionMode.HIGH_CONFIDENCE,
    "medium-confidence": PredictionMode.MEDIUM_CONFIDENCE,
    "best-guess": PredictionMode.BEST_GUESS,
}


@dataclass
class Side:
    """Our pipeline and their package, in one prediction mode."""

    pipeline: Any
    package: Magika
    run: Callable[[Any], Any]
    differences: list[str] = field(default_factory=list)

    def compare(self, name: str, body: bytes) -> dict[str, Any]:
        """Note what differs for `body`, and return our answer."""
        request = Request(body)
        scores = self.run(self.pipeline.decode(request)["bytes"])
        ours: dict[str, Any] = self.pipeline.encode({"target_label": scores}, request)
        theirs = answer_of(self.package.identify_bytes(body))
        score = theirs.pop("score")
        close = abs(ours["score"] - score) < 1e-5
        if not close or any(ours[key] != value for key, value in theirs.items()):
            self.differences.append(f"{name}: {ours} != {theirs} with score {score}")
        return ours


def answer_of(result: MagikaResult) -> dict[str, Any]:
    """Return the package's result under our answer's keys."""
    prediction = result.prediction
    asked = prediction.dl.label != "undefined"
    return {
        "label": str(prediction.output.label),
        "score": prediction.score,
        "description": prediction.output.description,
        "mime_type": prediction.output.mime_type,
        "group": prediction.output.group,
        "is_text": prediction.output.is_text,
        "extensions": prediction.output.extensions,
        "model_label": str(prediction.dl.label) if asked else None,
        "overwrite_reason": str(prediction.overwrite_reason),
    }


@pytest.fixture(scope="module")
def run(magika_folder: Path) -> Callable[[Any], Any]:
    """Run the graph that build.py made, once for the same tokens whatever the mode."""
    session = ort.InferenceSession(
        magika_folder / "build" / "model.onnx", providers=["CPUExecutionProvider"]
    )
    known: dict[bytes, Any] = {}

    def scores(tokens: Any) -> Any:
        key = tokens.tobytes()
        if key not in known:
            (known[key],) = session.run(["target_label"], {"bytes": tokens})
        return known[key]

    return scores


@pytest.fixture(params=MODES)
def side(
    request: pytest.FixtureRequest,
    pipeline_in_mode: Callable[[str], Any],
    run: Callable[[Any], Any],
) -> Side:
    mode: str = request.param
    return Side(pipeline_in_mode(mode), Magika(prediction_mode=MODES[mode]), run)


def installed_files() -> Iterator[tuple[str, bytes]]:
    """Yield files that lie where Python does: at most four of each kind, none of them huge."""
    stdlib, packages = Path(sysconfig.get_path("stdlib")), Path(np.__file__).parent.parent
    folders = [stdlib, stdlib / "lib-dynload", packages / "numpy" / "_core"]
    folders += [packages / "numpy" / "_core" / "include" / "numpy", *packages.glob("*.dist-info")]
    seen: dict[str, int] = {}
    for path in sorted(path for folder in folders for path in folder.glob("*")):
        kind = path.suffix or path.name
        if seen.get(kind, 0) < 4 and path.is_file() and path.stat().st_size < 4_000_000:
            seen[kind] = seen.get(kind, 0) + 1
            yield str(path), path.read_bytes()
    yield sys.executable, Path(sys.executable).read_bytes()


def generated_files(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Yield files that the standard library makes, and texts in the languages of files."""
    noise = random.Random(7)  # noqa: S311
    table = [{"port": f"p{n}", "height": n / 7, "tags": ["a", "b"]} for n in range(60)]
    text = "The tide comes in twice a day, and the moon has to do with it.\n" * 30
    yield "noise", noise.randbytes(5000)
    yield "short noise", noise.randbytes(60)
    yield "hex", noise.randbytes(400).hex().encode()
    yield "text", text.encode()
    yield "utf-16", text.encode("utf-16")
    yield "json", json.dumps(table, indent=1).encode()
    yield "jsonl", "\n".join(json.dumps(row) for row in table).encode()
    yield "csv", "\n".join(f"{n},{n * n},{n / 7}" for n in range(400)).encode()
    yield "tsv", "\n".join(f"{n}\t{n * n}\t{n / 7}" for n in range(400)).encode()
    yield "pickle", pickle.dumps(table)
    yield "plist", plistlib.dumps({"table": table})
    yield "binary plist", plistlib.dumps({"table": table}, fmt=plistlib.FMT_BINARY)
    yield "gzip", gzip.compress(text.encode(), mtime=0)
    yield "bzip2", bz2.compress(text.encode())
    yield "xz", lzma.compress(text.encode())
    yield "zlib", zlib.compress(text.encode())
    yield "png", png()
    yield "wav", wav()
    yield "npy", saved(np.save, np.arange(300.0))
    yield "npz", saved(np.savez, np.arange(300.0))
    yield "zip", zipped({"a.txt": text, "b.json": json.dumps(table)})
    yield "docx", zipped({"[Content_Types].xml": "<Types/>", "word/document.xml": "<w:document/>"})
    yield "jar", zipped({"META-INF/MANIFEST.MF": "Manifest-Version: 1.0\n", "A.class": "\xca\xfe"})
    yield "tar", tarred("tides.txt", text.encode())
    yield "sqlite", sqlite(folder / "tides.db")
    yield "pyc", compiled(folder)
    for name, source in SOURCES.items():
        yield name, source.encode()


SOURCES = {
    "pdf": "%PDF-1.4\n1 0 obj\n<< /Type /Catalog /Pages 2 0 R >>\nendobj\ntrailer\n"
    "<< /Root 1 0 R >>\n%%EOF\n",
    "xml": '<?xml version="1.0"?>\n<ports><port name="Brest"><time>04:12</time></port></ports>\n',
    "svg": '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><circle r="4"/></svg>\n',
    "html": "<!DOCTYPE html><html><head><title>Tides</title></head><body><p>High</p></body></html>",
    "ini": "[ports]\nbrest = 04:12\n\n[moon]\nphase = new\n",
    "toml": '[project]\nname = "tides"\nversion = "1.0"\ndependencies = ["numpy>=2"]\n',
    "yaml": "ports:\n  - name: Brest\n    time: '04:12'\nmoon: new\n",
    "shell": '#!/bin/sh\nset -eu\nfor port in brest; do\n  echo "$port" >> tides.txt\ndone\n',
    "makefile": ".PHONY: all\nall: tides.o\n\tcc -o tides tides.o\n%.o: %.c\n\tcc -c $<\n",
    "dockerfile": 'FROM debian:12\nRUN apt-get update\nCOPY . /app\nCMD ["/app/tides"]\n',
    "c": '#include <stdio.h>\nint main(void) {\n    printf("%d\\n", 6);\n    return 0;\n}\n',
    "rust": 'fn main() {\n    let port = "Brest";\n    println!("{port}");\n}\n',
    "go": 'package main\n\nimport "fmt"\n\nfunc main() {\n\tfmt.Println("Brest")\n}\n',
    "java": "public class Tide {\n  private final int height;\n  Tide(int h) { height = h; }\n}\n",
    "javascript": "const tides = require('tides');\nmodule.exports = (p) => tides.find(p).time;\n",
    "css": "body {\n  margin: 0;\n  color: #123456;\n}\n.port > a:hover { display: none; }\n",
    "sql": "CREATE TABLE tides (port TEXT, height REAL);\nSELECT * FROM tides WHERE height > 6;\n",
    "tex": "\\documentclass{article}\n\\begin{document}\nTides: $h = 6.4$\n\\end{document}\n",
    "markdown": "# Bread\n\nNo *kneading*, only [time](https://example.org).\n\n- flour\n- water\n",
    "rst": "tides\n=====\n\nHigh water at four.\n",
    "diff": "--- a/tides\n+++ b/tides\n@@ -1,2 +1,2 @@\n-high\n+low\n moon\n",
    "mail": "From: a@example.org\nTo: b@example.org\nSubject: Tides\nMIME-Version: 1.0\n\nHigh.\n",
    "calendar": "BEGIN:VCALENDAR\nVERSION:2.0\nBEGIN:VEVENT\nEND:VEVENT\nEND:VCALENDAR\n",
    "vague": "flour 400 g\nwater 300 g\nsalt 8 g\n",
}


def png() -> bytes:
    header = struct.pack(">IIBBBBB", 64, 64, 8, 0, 0, 0, 0)
    pixels = zlib.compress(b"".join(bytes([0, *range(row, row + 64)]) for row in range(64)))
    chunks = [(b"IHDR", header), (b"IDAT", pixels), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )


def wav() -> bytes:
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", "not compressed"))
        file.writeframes((1000 * np.sin(np.arange(4000) / 9)).astype("<i2").tobytes())
    return buffer.getvalue()


def saved(save: Callable[..., None], array: Any) -> bytes:
    buffer = io.BytesIO()
    save(buffer, array)
    return buffer.getvalue()


def zipped(members: Mapping[str, str]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in members.items():
            file.writestr(zipfile.ZipInfo(name), data)
    return buffer.getvalue()


def tarred(name: str, data: bytes) -> bytes:
    buffer = io.BytesIO()
    member = tarfile.TarInfo(name)
    member.size = len(data)
    with tarfile.open(fileobj=buffer, mode="w") as file:
        file.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def sqlite(path: Path) -> bytes:
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE tides (port TEXT, height REAL)")
    connection.commit()
    connection.close()
    return path.read_bytes()


def compiled(folder: Path) -> bytes:
    source = folder / "tides.py"
    source.write_text("def tide(port):\n    return {'Brest': 6.4}[port]\n")
    return Path(str(py_compile.compile(str(source), cfile=str(folder / "tides.pyc")))).read_bytes()


def awkward_files() -> Iterator[tuple[str, bytes]]:
    """Yield bodies at the edges of every size that the model's configuration knows."""
    noise = random.Random(11)  # noqa: S311
    line = b"the tide = 6.4 # at Brest\n"
    sizes = [0, 1, 7, 8, 9, 15, 16, 511, 512, 513, 1023, 1024, 1025, 2047, 2048, 2049]
    for size in [*sizes, 4095, 4096, 4097, 8191, 8192, 8193]:
        yield f"{size} of text", (line * 400)[:size]
        yield f"{size} of noise", noise.randbytes(size)
        yield f"{size} of every white space", (b" \t\r\n\v\f" * 2000)[:size]
        yield f"{size} of spaces, then 7 bytes", b"\n" * size + b"7 bytes"
    for size in (1, 1024, 4087, 4088, 4089, 4095, 4096, 5120):
        yield f"{size} of spaces, then text", b"\n" * size + line * 3
        yield f"7 bytes, then {size} of spaces", b"7 bytes" + b" " * size
        yield f"text, then {size} of spaces", line * 3 + b" " * size
        yield f"{size} of zeros", bytes(size)
    yield "a character cut by the block's end", b" " * 4093 + "\N{SPOUTING WHALE}".encode()
    yield "a character cut, more after it", b" " * 4094 + "\N{SPOUTING WHALE}".encode() * 2000
    yield "seven bytes that are not UTF-8", b"caf\xe9 au"


def test_answers_as_the_package_does_for_files_of_many_kinds(side: Side, tmp_path: Path) -> None:
    files = [*installed_files(), *generated_files(tmp_path)]
    labels = {side.compare(name, body)["label"] for name, body in files}
    assert not side.differences
    assert len(files) >= 60
    assert len(labels) >= 30, sorted(labels)


@pytest.mark.parametrize("side", ["high-confidence"], indirect=True)  # all read bytes the same
def test_answers_as_the_package_does_for_bodies_of_awkward_sizes(side: Side) -> None:
    for name, body in awkward_files():
        side.compare(name, body)
    assert not side.differences


def test_answers_as_the_package_does_for_every_label_at_every_threshold(side: Side) -> None:
    labels = side.package._model_config.target_labels_space
    config = side.package._model_config
    edges = {0.0, 1.0, config.medium_confidence_threshold, *config.thresholds.values()}
    nearby = {np.nextafter(np.float32(e), np.float32(to)) for e in edges for to in (0, 1)}
    for best, model_label in enumerate(labels):
        for score in [*map(np.float32, edges), *nearby]:
            scores = np.full((1, len(labels)), -1, np.float32)
            scores[0, best] = score
            ours = side.pipeline.encode({"target_label": scores}, Request(b"long enough"))
            label, reason = side.package._get_output_label_from_dl_label_and_score(
                model_label, float(score)
            )
            assert ours["label"] == str(label), (model_label, score)
            assert ours["overwrite_reason"] == str(reason), (model_label, score)
            assert ours["model_label"] == str(model_label)
            assert ours["score"] == float(score)


@pytest.fixture(scope="module")
def shipped(magika_folder: Path, import_file: Callable[[Path], Any]) -> Any:
    return import_file(magika_folder / "pipeline.py")


runs = st.tuples(
    st.sampled_from([b" ", b"\n", b"\x00", b"x", b"\xff", b"\x85", b"ab \t"]),
    st.sampled_from([0, 1, 3, 7, 8, 1022, 1024, 2048, 4090, 4096]),
)


@given(parts=st.lists(st.one_of(runs, st.tuples(st.binary(max_size=40), st.just(1))), max_size=5))
def test_tokens_are_the_package_s_features_whatever_the_bytes(
    shipped: Any, parts: list[tuple[bytes, int]]
) -> None:
    body = b"".join(piece * times for piece, times in parts)
    tokens = shipped.decode(Request(body))["bytes"]
    assert tokens.dtype == np.int32
    assert tokens.shape == (1, 2048)
    assert tokens[0].tolist() == features(body)


def features(body: bytes) -> list[int]:
    """Return the package's tokens for `body`."""
    extracted = Magika._extract_features_from_seekable(
        Seekable(io.BytesIO(body)), 1024, 0, 1024, 256, 4096, use_inputs_at_offsets=False
    )
    return [*extracted.beg, *extracted.end]
