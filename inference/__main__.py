"""The function's own handler on this machine: `serve`, `predict`, `batch` and `run`."""

from __future__ import annotations

import argparse
import json
import mimetypes
import os
import sys
from pathlib import Path
from typing import Final

from inference.cli import batch, run, serve
from inference.cli.local_handler import local_handler, logged_causes
from inference.errors import ServingError
from inference.process.background import leave
from model_store.errors import StoreError, StoreUnreachableError
from model_store.layout import StoreLayout
from model_store.reading import read_store_id

DONE, FAILED, UNREACHABLE = 0, 1, 3

_EPILOG: Final = "Exit codes: 0 done, 1 failed, 2 usage, 3 the store cannot be reached."


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit code."""
    options = _parser().parse_args(arguments)
    try:
        read_store_id(StoreLayout(options.store))
        return int(options.command(options))
    except StoreUnreachableError as error:
        hint = "publishing a model creates one: make sync-model"
        return _fail(options, f"{error}; {hint}", "unreachable", UNREACHABLE)
    except (StoreError, ServingError, ValueError, OSError) as error:
        if options.debug:
            raise
        return _fail(options, _reason(error), "failed", FAILED)
    except KeyboardInterrupt:
        return 130


def _predict(options: argparse.Namespace) -> int:
    body = options.file.read_bytes()
    shown = options.debug or "POWERTOOLS_LOG_LEVEL" in os.environ
    handler = local_handler(options, log_level="ERROR")
    causes = logged_causes(shown=shown)
    from inference.http.events import answer_body, build_event  # noqa: PLC0415 - after the environment is set
    from inference.local.gateway import LocalContext  # noqa: PLC0415

    content_type = mimetypes.guess_type(options.file.name)[0] or "application/octet-stream"
    event = build_event(
        method="POST",
        path=f"/models/{options.model}/predict",
        query="",
        headers=[("content-type", content_type)],
        body=body,
    )
    answer = handler(event, LocalContext())
    response_body = answer_body(answer)
    if answer["statusCode"] != 200:
        return _fail(
            options, ": ".join([json.loads(response_body)["error"], *causes]), "failed", FAILED
        )
    _print(_readable(response_body))
    return DONE


def _readable(body: bytes) -> str:
    try:
        return json.dumps(json.loads(body), indent=2, ensure_ascii=False)
    except ValueError:
        return body.decode("utf-8", "replace")


def _print(line: str) -> None:
    sys.__stdout__.write(line + "\n")  # type: ignore[union-attr]


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    return str(error)


def _fail(options: argparse.Namespace, message: str, code: str, exit_code: int) -> int:
    if getattr(options, "json", False):  # only some commands have --json
        _print(json.dumps({"error": {"code": code, "message": message}}))
    else:
        sys.stderr.write(f"error: {message}\n")
    return exit_code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m inference", description="Serve published models.", epilog=_EPILOG
    )
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "--store",
        type=Path,
        metavar="DIR",
        default=Path(os.environ.get("STORE_PATH") or ".store"),
        help="the store's root (default: $STORE_PATH, else .store)",
    )
    common.add_argument("--debug", action="store_true", help="show tracebacks and debug logs")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    serve.add_command(commands, common, _EPILOG)

    predict = commands.add_parser(
        "predict",
        parents=[common],
        help="make one prediction without a server",
        description="Send a file to a model's pipeline, as POST /models/NAME/predict would.",
        epilog=_EPILOG,
    )
    predict.add_argument("model", metavar="NAME", help="the model's name")
    predict.add_argument("file", type=Path, metavar="FILE", help="the input")
    predict.set_defaults(command=_predict, default_model=None)

    batch.add_command(commands, common)
    run.add_command(commands, common)
    return parser


if __name__ == "__main__":
    leave(main())
