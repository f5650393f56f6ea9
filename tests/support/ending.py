"""A module that model_sync/child_process.py can run: ends as its first argument says."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path


def main(arguments: list[str]) -> None:
    """Write to the second argument what this process was given, and end."""
    how, result = arguments
    given = {
        "folder": str(Path.cwd()),
        "environ": dict(os.environ),
        "path": [*dict.fromkeys(sys.path)],
        "input": sys.stdin.read(),
        "bytecode": not sys.dont_write_bytecode,
    }
    Path(result).write_text(json.dumps(given), "utf-8")
    sys.stdout.write("said to nobody\n")
    sys.stderr.write("said\n")
    match how:
        case "exits":
            sys.exit(96)
        case "raises":
            raise ValueError("not so")
        case "is killed":
            os.abort()
        case "never ends":
            time.sleep(600)


if __name__ == "__main__":
    main(sys.argv[1:])
