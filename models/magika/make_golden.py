"""Write golden/<case>/: requests of different kinds, and the answers of the package `magika`.

    python models/magika/make_golden.py        # only this script needs the package magika

This script alone fixes each request's bytes. Each expected.json holds the whole answer of
`/predict`, with numbers from the package and not from pipeline.py, which the cases test. Every
prediction mode gives the same answers to the cases, so settings.json may change without them.
"""

from __future__ import annotations

import io
import json
import struct
import sys
import zipfile
import zlib
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from magika import Magika, PredictionMode

if TYPE_CHECKING:
    from magika import MagikaResult

HERE = Path(__file__).resolve().parent

PYTHON = b'''"""Count the words of a text."""

import collections
import sys


def count(text: str) -> collections.Counter[str]:
    """Return how often each word occurs."""
    return collections.Counter(text.lower().split())


for word, times in count(sys.stdin.read()).most_common(10):
    sys.stdout.write(f"{times:6d} {word}\\n")
'''

HTML = b"""<!DOCTYPE html>
<html lang="en">
  <head><title>Tides</title><meta charset="utf-8"></head>
  <body>
    <h1>High water</h1>
    <table><tr><th>Port</th><th>Time</th></tr><tr><td>Brest</td><td>04:12</td></tr></table>
  </body>
</html>
"""

TEXT = b"""The tide comes in twice a day, and the moon has to do with it.
At Brest it rises by six metres.
"""


def requests() -> dict[str, tuple[str, bytes]]:
    """Return each case's file name and bytes, by the case's name."""
    tides = {"port": "Brest", "tides": [{"time": "04:12", "height_m": 6.4}, {"time": "10:30"}]}
    return {
        "python": ("request.py", PYTHON),
        "html": ("request.html", HTML),
        "json": ("request.json", json.dumps(tides, indent=2).encode()),
        "csv-longer-than-a-block": ("request.csv", csv()),
        "png": ("request.png", png()),
        "zip": ("request.zip", archive()),
        "text": ("request.txt", TEXT),
        "random-bytes": ("request.bin", b"".join(sha256(bytes([n])).digest() for n in range(16))),
        "too-short-for-the-model": ("request.txt", b"tide\n"),
        "empty": ("request.bin", b""),
    }


def csv() -> bytes:
    """Return a table whose beginning and end do not overlap, after some blank lines."""
    rows = (f"{n},Brest,{n * 37 % 24:02}:{n * 53 % 60:02},{n * 7 % 90 / 10}" for n in range(230))
    return "\n".join(["\n\n\nid,port,time,height_m", *rows, ""]).encode()


def png() -> bytes:
    """Return a grey ramp with stored pixels: a compressor's output depends on its version."""
    pixels = b"".join(bytes([0, *range(row, 256, 16)]) for row in range(16))
    size = struct.pack("<HH", len(pixels), len(pixels) ^ 0xFFFF)
    stored = b"\x78\x01\x01" + size + pixels + struct.pack(">I", zlib.adler32(pixels))
    header = struct.pack(">IIBBBBB", 16, 16, 8, 0, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", stored), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )


def archive() -> bytes:
    """Return a ZIP of two stored members, with every field that depends on the machine set."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for name, data in {"tides.html": HTML, "tides.txt": TEXT}.items():
            member = zipfile.ZipInfo(name, date_time=(2024, 2, 29, 12, 0, 0))
            member.create_system = 3  # Unix
            file.writestr(member, data)
    return buffer.getvalue()


def answer(result: MagikaResult) -> dict[str, Any]:
    """Return the package's result in the format of `/predict`."""
    found, model = result.prediction.output, result.prediction.dl
    return {
        "label": str(found.label),
        "score": result.prediction.score,
        "description": found.description,
        "mime_type": found.mime_type,
        "group": found.group,
        "is_text": found.is_text,
        "extensions": found.extensions,
        "model_label": None if model.label == "undefined" else str(model.label),
        "overwrite_reason": str(result.prediction.overwrite_reason),
    }


def main(folder: Path) -> None:
    """Write every case into `folder`, replacing files there."""
    magika = Magika(prediction_mode=PredictionMode.HIGH_CONFIDENCE)
    for case, (name, body) in requests().items():
        expected = json.dumps(answer(magika.identify_bytes(body)), indent=2)
        (folder / case).mkdir(parents=True, exist_ok=True)
        (folder / case / name).write_bytes(body)
        (folder / case / "expected.json").write_text(expected + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "golden")
