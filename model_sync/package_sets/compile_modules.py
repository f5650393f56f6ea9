"""Compile modules for the Python that runs this script. Needs only the standard library.

    PYTHON -I compile_modules.py SITE_PACKAGES OUTPUT < paths, one per line

The script writes marshalled code objects to OUTPUT, one after another. The first line on standard
output is the magic number of the bytecode. Then follows a line for each path: `[offset, size,
sha256]`, or `null` for a file that this Python cannot compile. The file name in a code object is
the relative path; the importer knows the folder. After an OSError, such as a full file system, the
last line is `{"errno": 28, "strerror": "No space left on device", "filename": "..."}`, and the exit
status is 1.
"""

import hashlib
import importlib.util
import json
import marshal
import sys
import warnings
from pathlib import Path


def main(site: str, output: str) -> None:
    """Compile the files that standard input names."""
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
