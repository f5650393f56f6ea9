"""Publishes a folder and tells how much memory that took: `python -m` this, FOLDER STORE.

Prints the process's peak resident memory in bytes, without that of its children. By VmHWM: what
getrusage calls the peak starts from that of the process that this one was forked from.
"""

from __future__ import annotations

import sys
from pathlib import Path

from model_sync.progress import Silent
from model_sync.publishing.publish import publish


def main(folder: str, store: str) -> None:
    """Publish, and print the peak."""
    publish(Path(folder), Path(store), progress=Silent())
    lines = Path("/proc/self/status").read_text("ascii", "replace").splitlines()
    fields = dict(line.split(":", 1) for line in lines)
    sys.stdout.write(str(int(fields["VmHWM"].split()[0]) * 1024))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
