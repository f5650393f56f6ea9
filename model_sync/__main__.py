"""Command line of the writer: `python -m model_sync VERB`; `--help` lists the verbs.

Results go to stdout (with `--json`, as one object), everything else to stderr. The options are
defined in cli/parser.py, the verbs in cli/commands.py.
"""

from __future__ import annotations

import json
import signal
import sys
from typing import TYPE_CHECKING, NoReturn

from model_sync.cli.parser import make_parser
from model_sync.errors import UNREACHABLE, code_of

if TYPE_CHECKING:
    import argparse

DONE, FAILED, OUT_OF_REACH, INTERRUPTED = 0, 1, 3, 130


def main(arguments: list[str] | None = None) -> int:
    """Run one verb and return its exit code."""
    options = make_parser().parse_args(arguments)
    try:
        succeeded = options.verb(options)
    except KeyboardInterrupt as error:
        return _fail(options, error, str(error) or "interrupted", "interrupted", INTERRUPTED)
    except Exception as error:
        code = code_of(error)
        exit_code = OUT_OF_REACH if code == UNREACHABLE else FAILED
        return _fail(options, error, str(error), code, exit_code)
    # A verb that continues past problems returns False; the others raise.
    return FAILED if succeeded is False else DONE


def _fail(
    options: argparse.Namespace, error: BaseException, message: str, code: str, exit_code: int
) -> int:
    if options.debug:
        raise error
    if options.json:
        sys.stdout.write(json.dumps({"error": {"code": code, "message": message}}) + "\n")
    else:
        sys.stderr.write(f"error: {message}\n")
    return exit_code


def _terminate(*_: object) -> NoReturn:
    """Make SIGTERM unwind as Ctrl-C does: unfinished work is removed, and children end."""
    raise KeyboardInterrupt("terminated")


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _terminate)
    sys.exit(main())
