"""Tools of the demos: samples, answers, background calls, tables."""

from __future__ import annotations

import contextlib
import http.client
import json
import shutil
import struct
import subprocess
import sys
import threading
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple

from rich.table import Table

ROOT: Final = Path(__file__).resolve().parent.parent
MODEL: Final = ROOT / "models" / "magika"
DEADLINE_S: Final = 60


class Answer(NamedTuple):
    """Answer to a call: its JSON, and its headers."""

    body: dict[str, Any]
    headers: Mapping[str, str]


Call = Callable[[bytes], Answer]
"""Send a body to the default model's pipeline; raise OSError or ValueError on failure."""


def publish(folder: Path, *where: str, environ: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Publish a model's folder to `--store DIR` or `--stage NAME`; return the command's JSON."""
    command = ["-m", "model_sync", "publish", str(folder), *where]
    done = subprocess.run(
        [sys.executable, *command, "--name", "magika", "--json", "--quiet"],
        cwd=ROOT,
        env=environ,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    try:
        found: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        sys.exit(f"error: publishing ended with exit code {done.returncode}")
    if done.returncode:
        sys.exit(f"error: {found['error']['message']}")
    return found


def described(published: dict[str, Any]) -> str:
    """Return the result of a publication in one line."""
    version, digest = published["version"], published["digest"][:19]
    return f"version {version} ({digest}...), generation {published['generation']} of its refs"


@dataclass(frozen=True)
class Answered:
    """Answer to one sample, and the version that answered."""

    what: str
    label: str
    score: float
    version: int
    milliseconds: float


def ask_all(call: Call) -> list[Answered]:
    """Send each sample, and return the answers."""
    return [ask(call, what, body) for what, body in samples()]


def ask_all_of(call: Call, version: int) -> list[Answered]:
    """Send samples until this version answers each of them; fail after a deadline.

    Each environment notices a new version separately, so a fleet briefly answers by two versions.
    """
    deadline = time.monotonic() + DEADLINE_S
    while True:
        answers = ask_all(call)
        if all(answer.version == version for answer in answers):
            return answers
        if time.monotonic() > deadline:
            sys.exit(f"error: version {version} alone did not answer within {DEADLINE_S} s")


def ask(call: Call, what: str, body: bytes) -> Answered:
    """Send a body, and return its answer."""
    started = time.perf_counter()
    answer = call(body)
    milliseconds = (time.perf_counter() - started) * 1e3
    version = int(answer.headers["Coldpress-Version"])
    return Answered(what, answer.body["label"], answer.body["score"], version, milliseconds)


def samples() -> list[tuple[str, bytes]]:
    """Return files of this repository, a PNG, some JSON, and an ambiguous text."""
    files = ["README.md", "Makefile", "pyproject.toml", "inference/serving/manager.py", ".ci/run"]
    return [
        *((name, (ROOT / name).read_bytes()) for name in files),
        ("a PNG image", png()),
        ("some JSON", json.dumps({"model": "magika", "labels": ["latest"]}).encode()),
        ("'let x = 1;'", b"let x = 1;\n"),
    ]


def png() -> bytes:
    """Return a grey image of 32 x 32 pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", 32, 32, 8, 0, 0, 0, 0)
    pixels = zlib.compress(b"".join(b"\0" + bytes(range(0, 256, 8)) for _ in range(32)))
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    )


def best_guess_copy(folder: Path) -> Path:
    """Copy the model's folder, and change one setting in the copy."""
    copy = folder / "magika"
    shutil.copytree(MODEL, copy, ignore=shutil.ignore_patterns("__pycache__"))
    (copy / "settings.json").write_text('{"prediction_mode": "best-guess"}\n')
    return copy


@dataclass
class Calls:
    """Background calls: the number of answers of each version, and the number of failures."""

    call: Call
    answered: Counter[int] = field(default_factory=Counter)
    failed: int = 0
    slowest_ms: float = 0.0
    stop: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Call until stopped."""
        while not self.stop.is_set():
            try:
                answer = ask(self.call, "", b"let x = 1;\n")
            except (OSError, ValueError, KeyError, http.client.HTTPException):
                self.failed += 1
            else:
                self.answered[answer.version] += 1
                self.slowest_ms = max(self.slowest_ms, answer.milliseconds)

    def wait_until_seen(self, version: int) -> None:
        """Wait until a version answers; fail after a deadline."""
        deadline = time.monotonic() + DEADLINE_S
        while not self.answered[version]:
            if time.monotonic() > deadline:
                sys.exit(f"error: version {version} did not answer within {DEADLINE_S} s")
            self.stop.wait(0.05)

    def summary(self) -> str:
        """Return a one-line summary of the calls."""
        by_version = ", ".join(f"{n} by version {v}" for v, n in sorted(self.answered.items()))
        total = sum(self.answered.values())
        return (
            f"{total} calls: {by_version}; {self.failed} failed; slowest {self.slowest_ms:.0f} ms"
        )


@contextlib.contextmanager
def calling(call: Call) -> Iterator[Calls]:
    """Run two callers that never pause."""
    calls = Calls(call)
    threads = [threading.Thread(target=calls.run) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        yield calls
    finally:
        calls.stop.set()
        for thread in threads:
            thread.join()


def table(before: list[Answered], after: list[Answered]) -> Table:
    """Return a table of the answers of each version, side by side."""
    found = Table(box=None, pad_edge=False, header_style="bold")
    found.add_column("input")
    for answered in (before, after):
        found.add_column(f"version {answered[0].version}")
        found.add_column("score", justify="right")
        found.add_column("ms", justify="right")
    for one, other in zip(before, after, strict=True):
        cells = [
            cell
            for each in (one, other)
            for cell in (each.label, f"{each.score:.3f}", f"{each.milliseconds:.1f}")
        ]
        found.add_row(one.what, *cells, style="bold" if one.label != other.label else "")
    return found
