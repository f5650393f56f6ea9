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
    """Run the command line; 0 when it was told to end, 1 with a line when it could not start."""
    parser = argparse.ArgumentParser(
        prog="python -m infra.emulated", description="Deploy a stage to an emulator of AWS."
    )
    parser.add_argument("--stage", required=True, help="a file in infra/stages/, without .toml")
    parser.add_argument(
        "--store", type=Path, required=True, metavar="DIR", help="what functions have as the store"
    )
    parser.add_argument(
        "--ministack",
        type=Path,
        metavar="PATH",
        help="the interpreter that has MiniStack (.cache/ministack/bin/python)",
    )
    options = parser.parse_args(arguments)
    for number in _ENDS:  # SIGINT too: a shell's background processes are started to ignore it
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
    """The stage; raises EmulatorError where what running it needs is not installed."""
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise EmulatorError(
            f"{', '.join(missing)} {'is' if len(missing) == 1 else 'are'} not installed: "
            f"{sys.executable} -m pip install --require-hashes -r requirements/cloud.txt "
            "(make cloud does that, and runs this)"
        )
    # Imported here: they need what is looked for above.
    from infra.emulated.ministack import MINISTACK  # noqa: PLC0415
    from infra.emulated.run import emulated_stage  # noqa: PLC0415

    interpreter = options.ministack or MINISTACK
    return emulated_stage(options.stage, options.store, interpreter=interpreter)


def _end(*_: object) -> NoReturn:
    """Have the first signal unwind what was started, which takes seconds, and no other disturb."""
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
