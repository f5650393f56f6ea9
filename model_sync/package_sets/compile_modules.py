"""Compiles modules, for whichever Python runs this script. Needs nothing but that Python.

    PYTHON -I compile_modules.py SITE_PACKAGES OUTPUT < paths, one a line

Code objects go to OUTPUT, one after another, as `marshal` writes them; for each path, standard
output gets a line `[offset, size, sha256]`, or `null` for what is no source of this Python's. The
first line is the magic number of its bytecode. A code object's file name is the path: whoever
loads it knows where it lies. What the system refuses, a full file system for one, is the last line:
`{"errno": 28, "strerror": "No space left on device", "filename": "..."}`, and the status is 1.
"""

import hashlib
import importlib.util
import json
import marshal
import sys
import warnings
from pathlib import Path


def main(site: str, output: str) -> None:
    """Compile what standard input names."""
    warnings.simplefilter("ignore")
    sys.stdout.write(json.dumps(importlib.util.MAGIC_NUMBER.hex()) + "\n")
    offset = 0
    with Path(output).open("wb") as stream:
        for line in sys.stdin.buffer:
            path = line.rstrip(b"\n").decode()
            try:
                source = Path(site, path).read_bytes()
                code = compile(source, path, "exec", dont_inherit=True, optimize=0)
                data = marshal.dumps(code)
            except (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError):
                sys.stdout.write("null\n")
                continue
            stream.write(data)
            digest = hashlib.sha256(data).hexdigest()
            sys.stdout.write(json.dumps([offset, len(data), digest]) + "\n")
            offset += len(data)


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except OSError as error:
        fields = {name: getattr(error, name) for name in ("errno", "strerror", "filename")}
        sys.stdout.write(json.dumps(fields) + "\n")
        sys.exit(1)
