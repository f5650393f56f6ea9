"""Cloud demo: a whole stage on an emulated AWS, from `make sync-model` to batch output.

`make cloud-demo` runs this script. It deploys the stage's own template to MiniStack on loopback,
uses the same commands as a user, stops the processes that it started, and exits with 0 only if it
succeeded. docs/operations.md lists the limits of MiniStack.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import boto3
from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console

from docs.showing import (
    DEADLINE_S,
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
from infra.emulated.run import EmulatedStage, emulated_stage
from infra.emulated.signing import signed
from infra.errors import InfraError

if TYPE_CHECKING:
    from collections.abc import Mapping

BATCH_INPUT = "magika/inbox/a question.txt"
"""A key with a space, which S3 writes as + in its events."""


def main() -> int:
    """Run the demo; return 0 if it succeeded."""
    parser = argparse.ArgumentParser(description="A stage on an emulated AWS: the demo.")
    parser.add_argument("--stage", default="dev")
    stage = parser.parse_args().stage
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _end)
    _stay_here()
    with tempfile.TemporaryDirectory(prefix="coldpress-demo-") as temporary:
        try:
            return _demo(stage, Path(temporary))
        except (
            InfraError,
            OSError,
            http.client.HTTPException,
            BotoCoreError,
            ClientError,
        ) as error:
            sys.stderr.write(f"error: {' '.join(str(error).split())}\n")
            return 1
        except KeyboardInterrupt:
            return 130


def _demo(stage: str, folder: Path) -> int:
    say = Console(width=100).print
    began = time.monotonic()
    say(f"\n[bold]1. Deploy[/bold] stage {stage} to an emulated AWS on this machine")
    with emulated_stage(stage, folder / "mount") as running:
        environ = {**os.environ, **running.environ}
        say(f"   {len(running.outputs)} outputs, functions {_functions(running)}")
        say(f"   a call that nobody signed: {_unsigned(running)}")

        say("[bold]2. Publish[/bold] through S3 and the sync function: make sync-model STAGE=...")
        say(f"   {_make('sync-model', stage, environ)}")
        call = partial(_predict, running)
        before = ask_all(call)

        say("[bold]3. Batch[/bold]: a file into the input bucket, answers in the output bucket")
        outputs = _batch(running, b"let x = 1;\n")
        for key, text in outputs.items():
            say(f"   {key}  {text}", soft_wrap=True)

        say("[bold]4. Publish another version[/bold] (it answers with its best guess) under calls")
        with calling(call) as calls:
            calls.wait_until_seen(1)
            second = publish(best_guess_copy(folder), "--stage", stage, environ=environ)
            say(f"   {described(second)}")
            calls.wait_until_seen(second["version"])
        after = ask_all_of(call, second["version"])
        say(f"   {calls.summary()}\n")
        say(table(before, after))
        say(f"\n{_make('models', stage, environ)}\n")
    say(f"All of it is stopped. It took {time.monotonic() - began:.0f} s.\n")
    changed = any(one.label != other.label for one, other in zip(before, after, strict=True))
    if calls.failed or not changed or len(outputs) != 2:
        say("[bold red]The demo failed.[/bold red]")
        return 1
    return 0


def _end(*_: object) -> NoReturn:
    """Handle the first signal: unwind, which takes seconds, and ignore further signals."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def _stay_here() -> None:
    """Remove variables that lead elsewhere than to the emulator: AWS settings, proxies."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    for name in ("NO_PROXY", "no_proxy"):
        os.environ[name] = ",".join(filter(None, (os.environ.get(name), "127.0.0.1")))


def _functions(running: EmulatedStage) -> str:
    names = sorted(key.removesuffix("Function") for key in running.outputs if "Function" in key)
    return ", ".join(names)


def _make(verb: str, stage: str, environ: Mapping[str, str]) -> str:
    """Run a verb of the Makefile as a user would; return its output."""
    # The variables that an outer make sets for its children are not for this make.
    kept = {name: value for name, value in environ.items() if not name.startswith(("MAKE", "MFL"))}
    done = subprocess.run(
        ["make", "--silent", verb, "MODEL=magika", f"STAGE={stage}"],
        cwd=ROOT,
        env=kept,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
        sys.exit(said[-1] if said else f"error: make {verb} failed")
    return done.stdout.rstrip()


def _unsigned(running: EmulatedStage) -> str:
    try:
        with urllib.request.urlopen(f"{running.api_url}/v2", timeout=DEADLINE_S) as answered:  # noqa: S310 - http
            return f"answered with {answered.status}"
    except urllib.error.HTTPError as error:
        return f"refused with {error.code}"


def _predict(running: EmulatedStage, body: bytes) -> Answer:
    """Send a body to the HTTP API, and return its answer."""
    url = f"{running.api_url}/predict"
    headers = {"Content-Type": "application/octet-stream"}
    headers = signed(url, running.environ, method="POST", body=body, headers=headers)
    request = urllib.request.Request(url, body, headers, method="POST")  # noqa: S310 - http
    with urllib.request.urlopen(request, timeout=DEADLINE_S) as response:  # noqa: S310
        return Answer(json.load(response), response.headers)


def _batch(running: EmulatedStage, body: bytes) -> dict[str, str]:
    """Put an input, wait for its summary, and return the outputs by key, each in a line."""
    s3 = _client(running, "s3")
    s3.put_object(Bucket=running.outputs["BatchInputBucket"], Key=BATCH_INPUT, Body=body)
    bucket = running.outputs["BatchOutputBucket"]
    deadline = time.monotonic() + DEADLINE_S
    while True:
        found = s3.list_objects_v2(Bucket=bucket).get("Contents", [])
        keys = [item["Key"] for item in found]
        if any(key.endswith(".summary.json") for key in keys):
            return {key: _line(s3, bucket, key) for key in keys}
        if time.monotonic() > deadline:
            sys.exit(f"error: no batch output within {DEADLINE_S} s: see {running.log}")
        time.sleep(0.1)


def _line(s3: Any, bucket: str, key: str) -> str:
    answer: dict[str, Any] = json.load(s3.get_object(Bucket=bucket, Key=key)["Body"])
    shown = ("label", "score", "version", "records", "answered", "failed")
    return json.dumps({name: answer[name] for name in shown if name in answer})


def _client(running: EmulatedStage, service: str) -> Any:
    return boto3.client(
        service,
        endpoint_url=running.endpoint,
        region_name=running.environ["AWS_REGION"],
        aws_access_key_id=running.environ["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=running.environ["AWS_SECRET_ACCESS_KEY"],
    )


if __name__ == "__main__":
    sys.exit(main())
