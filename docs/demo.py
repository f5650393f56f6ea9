"""The demo: publish a real model, call it over HTTP, publish another version while calls go on.

`make demo` runs it. It uses the commands that a user would, stops what it started, and exits with
0 only if no call failed and the answers changed. It can be run again on the same store.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import shutil
import struct
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
import zlib
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT: Final = Path(__file__).resolve().parent.parent
MODEL: Final = ROOT / "models" / "magika"
DEADLINE_S: Final = 30


def main() -> int:
    """Run the demo; 0 if everything went as it should."""
    parser = argparse.ArgumentParser(description="Publish, serve, swap: the demo.")
    parser.add_argument("--store", type=Path, default=ROOT / ".store", metavar="DIR")
    store = parser.parse_args().store.resolve()
    say = Console(width=100).print

    say("\n[bold]1. Publish[/bold] the model in models/magika: file types, from their bytes")
    first = publish(MODEL, store)
    say(f"   {described(first)}")
    with served(store) as url, tempfile.TemporaryDirectory() as temporary:
        say(f"[bold]2. Serve[/bold] it: {url}")
        before = ask_all(url)
        say("[bold]3. Publish another version[/bold] (it answers with its best guess) under calls")
        other = best_guess_copy(Path(temporary))
        with calling(url) as calls:
            calls.wait_until_seen(first["version"])
            second = publish(other, store)
            say(f"   {described(second)}")
            calls.wait_until_seen(second["version"])
        after = ask_all(url)
        say(f"   {calls.summary()}\n")
        say(table(before, after))
    back = publish(MODEL, store)
    say(f"\n[bold]4. Publish the first contents again[/bold]: {described(back)}, no copy made\n")
    changed = any(one.label != other.label for one, other in zip(before, after, strict=True))
    if calls.failed or not changed or back["version"] != first["version"]:
        say("[bold red]The demo failed.[/bold red]")
        return 1
    return 0


def publish(folder: Path, store: Path) -> dict[str, Any]:
    """Publish a model's folder and return what the command says of it."""
    command = ["-m", "model_sync", "publish", str(folder), "--store", str(store)]
    done = subprocess.run(
        [sys.executable, *command, "--name", "magika", "--json", "--quiet"],
        cwd=ROOT,
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
    """One line of what a publication came to."""
    version, digest = published["version"], published["digest"][:19]
    return f"version {version} ({digest}...), generation {published['generation']} of its refs"


@contextlib.contextmanager
def served(store: Path) -> Iterator[str]:
    """Serve a store on a free port, and stop the server at the end."""
    command = [sys.executable, "-m", "inference", "serve", "--store", str(store), "--port", "0"]
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            [*command, "--model", "magika"], cwd=ROOT, stdout=subprocess.PIPE, stderr=log, text=True
        )
        try:
            line = process.stdout.readline() if process.stdout else ""
            if not line:
                log.seek(0)
                sys.exit(log.read().decode().strip() or "error: the server did not start")
            yield line.split()[-1]
        finally:
            process.terminate()
            try:
                process.wait(DEADLINE_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            if process.stdout:
                process.stdout.close()


@dataclass(frozen=True)
class Answered:
    """What one call answered, and which version did."""

    what: str
    label: str
    score: float
    version: int
    milliseconds: float


def ask_all(url: str) -> list[Answered]:
    """Ask for each sample what it is."""
    return [ask(url, what, body) for what, body in samples()]


def ask(url: str, what: str, body: bytes) -> Answered:
    """Ask what a body is."""
    started = time.perf_counter()
    request = urllib.request.Request(f"{url}/predict", body, method="POST")  # noqa: S310 - http
    with urllib.request.urlopen(request, timeout=DEADLINE_S) as response:  # noqa: S310
        answer = json.load(response)
        version = int(response.headers["Coldpress-Version"])
    milliseconds = (time.perf_counter() - started) * 1e3
    return Answered(what, answer["label"], answer["score"], version, milliseconds)


def samples() -> list[tuple[str, bytes]]:
    """Files of this repository, a PNG, some JSON, and a text that leaves room for doubt."""
    files = ["README.md", "Makefile", "pyproject.toml", "inference/manager.py", ".ci/run"]
    return [
        *((name, (ROOT / name).read_bytes()) for name in files),
        ("a PNG image", png()),
        ("some JSON", json.dumps({"model": "magika", "labels": ["latest"]}).encode()),
        ("'let x = 1;'", b"let x = 1;\n"),
    ]


def png() -> bytes:
    """A grey image of 32 x 32 pixels."""

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
    """Copy the model's folder, with the one setting changed."""
    copy = folder / "magika"
    shutil.copytree(MODEL, copy, ignore=shutil.ignore_patterns("__pycache__"))
    (copy / "settings.json").write_text('{"prediction_mode": "best-guess"}\n')
    return copy


@dataclass
class Calls:
    """Calls that go on in the background: how many each version answered, how many failed."""

    url: str
    answered: Counter[int] = field(default_factory=Counter)
    failed: int = 0
    slowest_ms: float = 0.0
    stop: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Call until told to stop."""
        while not self.stop.is_set():
            try:
                answer = ask(self.url, "", b"let x = 1;\n")
            except (urllib.error.URLError, OSError, ValueError, KeyError):
                self.failed += 1
            else:
                self.answered[answer.version] += 1
                self.slowest_ms = max(self.slowest_ms, answer.milliseconds)

    def wait_until_seen(self, version: int) -> None:
        """Wait until a version answers; what waits too long has failed."""
        deadline = time.monotonic() + DEADLINE_S
        while not self.answered[version]:
            if time.monotonic() > deadline:
                sys.exit(f"error: version {version} did not answer within {DEADLINE_S} s")
            self.stop.wait(0.05)

    def summary(self) -> str:
        """One line of what happened."""
        by_version = ", ".join(f"{n} by version {v}" for v, n in sorted(self.answered.items()))
        total = sum(self.answered.values())
        return (
            f"{total} calls: {by_version}; {self.failed} failed; slowest {self.slowest_ms:.0f} ms"
        )


@contextlib.contextmanager
def calling(url: str) -> Iterator[Calls]:
    """Two callers that never pause."""
    calls = Calls(url)
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
    """What each version answered, side by side."""
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


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
