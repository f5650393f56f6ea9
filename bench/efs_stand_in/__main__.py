"""Mount a folder by hand: `python -m bench.efs_stand_in SOURCE MOUNTPOINT [options]`."""

from __future__ import annotations

import argparse
import json
import signal
import sys
from pathlib import Path

from bench.efs_stand_in import options
from bench.efs_stand_in.mounting import EfsStandIn, StandInError


def main() -> int:
    """Mount until Ctrl-C or SIGTERM; then print the number of calls, as one JSON object."""
    parser = argparse.ArgumentParser(prog="bench.efs_stand_in", description=__doc__)
    parser.add_argument("source", type=Path)
    parser.add_argument("mountpoint", type=Path)
    options.add_arguments(parser)
    parsed = parser.parse_args()
    signals = {signal.SIGINT, signal.SIGTERM}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    try:
        with EfsStandIn(parsed.source, parsed.mountpoint, options.from_arguments(parsed)) as efs:
            print(f"{efs.source} is mounted at {efs.mountpoint}; Ctrl-C ends it", flush=True)
            signal.sigwait(signals)
            print(json.dumps(efs.counts()))
    except StandInError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
