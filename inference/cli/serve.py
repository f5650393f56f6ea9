"""Command `python -m inference serve`: a store over HTTP on this machine.

`--runtime process` calls the handler in this process, in threads. `--runtime lambda` calls it in up
to `--environments` real Lambda runtimes, one call at a time in each (local/fleet/).
"""

from __future__ import annotations

import argparse
import os
import sys
from typing import TYPE_CHECKING, Final

from inference.cli.local_handler import configure, local_handler

if TYPE_CHECKING:
    from collections.abc import Callable

DONE, FAILED = 0, 1

HANDLER: Final = "inference.predict_function.handler"

_DESCRIPTION: Final = """\
Serve over HTTP on 127.0.0.1, with the function's own handler. Prints one line when ready; Ctrl-C
stops it.

  --runtime process  (default) the handler runs in this process, in --threads threads
  --runtime lambda   the handler runs in up to --environments real Lambda runtimes: one call at a
                     time in each, started when calls need them, frozen between calls, limited to
                     --memory if control groups allow it (Linux; needs requirements/cloud.txt)
"""
_PROCESS, _LAMBDA = "process", "lambda"
_ONLY_WITH: Final = {
    "threads": (_PROCESS, "an environment takes one call at a time"),
    "environments": (_LAMBDA, "a process is one environment"),
    "memory": (_LAMBDA, "a process has the machine's memory"),
    "idle": (_LAMBDA, "a process runs until it is stopped"),
}
"""Options that apply to one runtime only, and the reason."""

_DEFAULTS: Final = {"threads": 4, "environments": 1, "memory": 1024, "idle": 300}


def add_command(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
    common: argparse.ArgumentParser,
    epilog: str,
) -> None:
    """Add the command to the menu of `python -m inference`."""
    parser = commands.add_parser(
        "serve",
        parents=[common],
        help="serve over HTTP on 127.0.0.1",
        description=_DESCRIPTION,
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    port = _within(0, 65535, "a port")
    parser.add_argument(
        "--port",
        type=port,
        default=8080,
        help="port of 127.0.0.1; 0 means any free one (default 8080)",
    )
    parser.add_argument(
        "--model",
        dest="default_model",
        metavar="NAME",
        help="the default model, which /predict calls",
    )
    parser.add_argument(
        "--runtime", choices=[_PROCESS, _LAMBDA], default=_PROCESS, help="see above"
    )
    _add_number(
        parser, "threads", _within(1, 256, "a number of threads"), "N", "number of concurrent calls"
    )
    _add_number(
        parser,
        "environments",
        _within(1, 64, "a number of environments"),
        "N",
        "largest number of environments",
    )
    _add_number(
        parser,
        "memory",
        _within(128, 10_240, "a memory size in MB"),
        "MB",
        "memory of each environment",
    )
    _add_number(
        parser,
        "idle",
        _within(1, 86_400, "a number of seconds"),
        "SECONDS",
        "seconds without calls after which an environment is stopped",
    )
    parser.set_defaults(command=run, usage_error=parser.error)


def run(options: argparse.Namespace) -> int:
    """Serve until a signal stops the server, and return the exit code."""
    _check_fit(options)
    if options.runtime == _LAMBDA:
        return _serve_fleet(options)
    handler = local_handler(options, log_level="INFO")
    from inference.local.gateway import InThreads  # noqa: PLC0415 - after the environment is set
    from inference.local.server import serve  # noqa: PLC0415

    serve(InThreads(handler, threads=_number(options, "threads")), port=options.port)
    return DONE


def _serve_fleet(options: argparse.Namespace) -> int:
    options.store = options.store.absolute()
    configure(options, log_level="INFO")
    from inference.local.fleet.command import FleetOptions, serve_fleet  # noqa: PLC0415 - as above
    from inference.local.fleet.errors import LambdaEnvironmentError  # noqa: PLC0415
    from inference.settings import Settings  # noqa: PLC0415

    Settings.from_environ(os.environ)  # refuse a wrong setting here, as --runtime process does
    fleet = FleetOptions(
        environments=_number(options, "environments"),
        memory_mb=_number(options, "memory"),
        idle_s=_number(options, "idle"),
    )
    try:
        serve_fleet(HANDLER, os.environ, fleet, port=options.port)
    except LambdaEnvironmentError as error:
        sys.stderr.write(f"error: {error}\n")
        return FAILED
    return DONE


def _check_fit(options: argparse.Namespace) -> None:
    """Refuse options that the runtime would ignore, with exit code 2."""
    for name, (runtime, why) in _ONLY_WITH.items():
        given = getattr(options, name)
        harmless = name == "environments" and given == 1
        if given is not None and options.runtime != runtime and not harmless:
            options.usage_error(f"--{name} needs --runtime {runtime}: {why}")


def _number(options: argparse.Namespace, name: str) -> int:
    given: int | None = getattr(options, name)
    return _DEFAULTS[name] if given is None else given


def _add_number(
    parser: argparse.ArgumentParser, name: str, kind: Callable[[str], int], unit: str, what: str
) -> None:
    text = f"{what} (default {_DEFAULTS[name]})"
    parser.add_argument(f"--{name}", type=kind, metavar=unit, help=text)


def _within(low: int, high: int, what: str) -> Callable[[str], int]:
    def number(text: str) -> int:
        if not (text.isascii() and text.isdecimal()) or not low <= int(text) <= high:
            raise argparse.ArgumentTypeError(f"{text!r} is not {what}: expected {low} to {high}")
        return int(text)

    return number
