"""`python -m infra.emulated --stage dev --store .store`: a stage on this machine, until Ctrl-C."""

from __future__ import annotations

import argparse
import importlib.util
import shlex
import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn

from infra.errors import EmulatorError, InfraError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

    from infra.emulated.run import EmulatedStage


_ENDS: Final = (signal.SIGINT, signal.SIGTERM)
_NEEDED: Final = ("boto3", "aws_cdk", "awslambdaric")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return 0 after a signal, 1 (with a line) if the start failed."""
    parser = argparse.ArgumentParser(
        prog="python -m infra.emulated", description="Deploy a stage to an emulator of AWS."
    )
    parser.add_argument("--stage", required=True, help="a file in infra/stages/, without .toml")
    parser.add_argument(
        "--store",
        type=Path,
        required=True,
        metavar="DIR",
        help="folder that functions use as the store",
    )
    parser.add_argument(
        "--ministack",
        type=Path,
        metavar="PATH",
        help="interpreter with MiniStack installed (.cache/ministack/bin/python)",
    )
    options = parser.parse_args(arguments)
    for number in _ENDS:  # SIGINT too: shells start background processes with SIGINT ignored
        signal.signal(number, _end)
    try:
        with _emulated(options) as running:
            sys.stdout.write(_ready(running))
            sys.stdout.flush()
            threading.Event().wait()
    except KeyboardInterrupt:
        return 0
    except (InfraError, OSError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    return 0


def _emulated(options: argparse.Namespace) -> AbstractContextManager[EmulatedStage]:
    """Return the stage as a context; raises EmulatorError if a needed package is missing."""
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise EmulatorError(
            f"{', '.join(missing)} {'is' if len(missing) == 1 else 'are'} not installed: "
            f"{sys.executable} -m pip install --require-hashes -r requirements/cloud.txt "
            "(make cloud does both)"
        )
    # Imported here: these modules need the packages that are checked above.
    from infra.emulated.ministack import MINISTACK  # noqa: PLC0415
    from infra.emulated.run import emulated_stage  # noqa: PLC0415

    interpreter = options.ministack or MINISTACK
    return emulated_stage(options.stage, options.store, interpreter=interpreter)


def _end(*_: object) -> NoReturn:
    """Unwind at the first signal, which takes seconds, and ignore further signals."""
    for number in _ENDS:
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def _ready(running: EmulatedStage) -> str:
    exports = {**running.environ, "API_URL": running.api_url}
    return f"coldpress emulated {running.endpoint}\n" + "".join(
        f"export {name}={shlex.quote(value)}\n" for name, value in exports.items()
    )


if __name__ == "__main__":
    sys.exit(main())
