"""The same handler on this machine: `python -m inference serve` and `predict`."""

from __future__ import annotations

import argparse
import json
import mimetypes
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from inference.batch_command import add_command
from inference.errors import ServingError
from model_store.errors import StoreError, StoreUnreachableError
from model_store.layout import StoreLayout
from model_store.reading import read_store_id

if TYPE_CHECKING:
    import logging

    from inference.gateway import Handler

DONE, FAILED, UNREACHABLE = 0, 1, 3

_EPILOG: Final = "Exit codes: 0 done, 1 failed, 2 usage, 3 the store cannot be reached."


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit code."""
    options = _parser().parse_args(arguments)
    try:
        read_store_id(StoreLayout(options.store))
        return int(options.command(options))
    except StoreUnreachableError as error:
        hint = "publishing a model makes one: make sync-model"
        return _fail(options, f"{error}; {hint}", "unreachable", UNREACHABLE)
    except (StoreError, ServingError, ValueError, OSError) as error:
        if options.debug:
            raise
        return _fail(options, _reason(error), "failed", FAILED)
    except KeyboardInterrupt:
        return 130


def _serve(options: argparse.Namespace) -> int:
    handler = _handler(options, log_level="INFO")
    from inference.serving import serve  # noqa: PLC0415 - after the environment is set

    serve(handler, port=options.port, threads=options.threads)
    return DONE


def _predict(options: argparse.Namespace) -> int:
    body = options.file.read_bytes()
    handler = _handler(options, log_level="CRITICAL")
    from inference.events import answer_body, build_event  # noqa: PLC0415 - as above
    from inference.gateway import LocalContext  # noqa: PLC0415

    content_type = mimetypes.guess_type(options.file.name)[0] or "application/octet-stream"
    event = build_event(
        method="POST",
        path=f"/models/{options.model}/predict",
        query="",
        headers=[("content-type", content_type)],
        body=body,
    )
    answer = handler(event, LocalContext())
    answered = answer_body(answer)
    if answer["statusCode"] != 200:
        return _fail(options, json.loads(answered)["error"], "failed", FAILED)
    _print(_readable(answered))
    return DONE


def _handler(options: argparse.Namespace, *, log_level: str) -> Handler:
    """Import the Lambda entry point with this command's settings.

    Its logs go to stderr, without tracebacks unless `--debug`; stdout is the command's own.
    """
    os.environ["STORE_PATH"] = str(options.store)
    if options.default_model:
        os.environ["DEFAULT_MODEL"] = options.default_model
    os.environ.setdefault("POWERTOOLS_METRICS_DISABLED", "true")
    os.environ.setdefault("POWERTOOLS_LOG_LEVEL", "DEBUG" if options.debug else log_level)
    sys.stdout = sys.stderr
    from inference.api import handler  # noqa: PLC0415 - it reads the environment
    from inference.telemetry import logger  # noqa: PLC0415

    if not options.debug:
        logger.addFilter(_without_traceback)
    return handler


def _without_traceback(record: logging.LogRecord) -> bool:
    record.exc_info = None
    return True


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
    if getattr(options, "json", False):  # not every command has it
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

    serve = commands.add_parser(
        "serve",
        parents=[common],
        help="serve over HTTP on 127.0.0.1",
        description="Serve over HTTP on 127.0.0.1, with the function's own handler. Prints one "
        "line when ready; Ctrl-C ends it.",
        epilog=_EPILOG,
    )
    serve.add_argument("--port", type=_port, default=8080, help="0 takes a free one (default 8080)")
    serve.add_argument(
        "--model",
        dest="default_model",
        metavar="NAME",
        help="the default model, which /predict calls",
    )
    serve.add_argument(
        "--threads", type=_threads, default=4, metavar="N", help="calls at once (default 4)"
    )
    serve.set_defaults(command=_serve)

    predict = commands.add_parser(
        "predict",
        parents=[common],
        help="one prediction without a server",
        description="Send a file to a model's pipeline, as POST /models/NAME/predict would.",
        epilog=_EPILOG,
    )
    predict.add_argument("model", metavar="NAME", help="the model's name")
    predict.add_argument("file", type=Path, metavar="FILE", help="the input")
    predict.set_defaults(command=_predict, default_model=None)

    add_command(commands, common)
    return parser


def _port(text: str) -> int:
    return _within(text, 0, 65535, "a port")


def _threads(text: str) -> int:
    return _within(text, 1, 256, "a number of threads")


def _within(text: str, low: int, high: int, what: str) -> int:
    if not (text.isascii() and text.isdecimal()) or not low <= int(text) <= high:
        raise argparse.ArgumentTypeError(f"{text!r} is not {what}: expected {low} to {high}")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
