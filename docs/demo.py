"""Demo: publish a real model, call it over HTTP, publish another version during the calls.

`make demo` runs this script. It uses the same commands as a user, stops the processes that it
started, and exits with 0 only if no call failed and the answers changed. It can be run again on the
same store.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import subprocess
import sys
import tempfile
import urllib.request
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from docs.showing import (
    DEADLINE_S,
    MODEL,
    ROOT,
    Answer,
    ask_all,
    ask_all_of,
    best_guess_copy,
    calling,
    described,
    publish,
    table,
)

if TYPE_CHECKING:
    from collections.abc import Iterator


def main() -> int:
    """Run the demo; return 0 if it succeeded."""
    parser = argparse.ArgumentParser(description="Publish, serve, swap: the demo.")
    parser.add_argument("--store", type=Path, default=ROOT / ".store", metavar="DIR")
    store = parser.parse_args().store.resolve()
    say = Console(width=100).print

    say("\n[bold]1. Publish[/bold] the model in models/magika: file types, from their bytes")
    first = publish(MODEL, "--store", str(store))
    say(f"   {described(first)}")
    with served(store) as url, tempfile.TemporaryDirectory() as temporary:
        say(f"[bold]2. Serve[/bold] it: {url}")
        call = partial(predict, url)
        before = ask_all(call)
        say("[bold]3. Publish another version[/bold] (it answers with its best guess) under calls")
        other = best_guess_copy(Path(temporary))
        with calling(call) as calls:
            calls.wait_until_seen(first["version"])
            second = publish(other, "--store", str(store))
            say(f"   {described(second)}")
            calls.wait_until_seen(second["version"])
        after = ask_all_of(call, second["version"])
        say(f"   {calls.summary()}\n")
        say(table(before, after))
    back = publish(MODEL, "--store", str(store))
    say(f"\n[bold]4. Publish the first contents again[/bold]: {described(back)}, no copy made\n")
    changed = any(one.label != other.label for one, other in zip(before, after, strict=True))
    if calls.failed or not changed or back["version"] != first["version"]:
        say("[bold red]The demo failed.[/bold red]")
        return 1
    return 0


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


def predict(url: str, body: bytes) -> Answer:
    """Send a body to the server, and return its answer."""
    request = urllib.request.Request(f"{url}/predict", body, method="POST")  # noqa: S310 - http
    with urllib.request.urlopen(request, timeout=DEADLINE_S) as response:  # noqa: S310
        return Answer(json.load(response), response.headers)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
