"""A stand-in for EFS: a folder mounted with an NFS client's delays, caches and failures.

    with EfsStandIn(source, mountpoint, Options(read_ahead_kib=15_000)) as efs:
        ...                                   # use efs.mountpoint
        efs.counts()["open"]                  # exact, while it runs
        efs.fail("write", "ENOSPC", "staging/*", nth=3)
        efs.hang("open", "models/*/refs.json"); efs.heal()
        efs.kill(); efs.restart()             # the mount gone, and back

By hand: `python -m bench.efs_stand_in SOURCE MOUNTPOINT`, until Ctrl-C.

A FUSE file system in a process of its own, which keeper.py and guard.py end and unmount however
its owner ends. It needs Debian's fuse3 and libfuse3-dev (`make system-packages`) and pyfuse3.

Like an NFS client: every open asks (close-to-open: of the file that a believed name leads to),
attributes and names are believed for a while, an unchanged file's page cache is kept across opens
and a changed one's is not, a file that another client deleted is ESTALE, the read-ahead is a
kernel's. Unlike one: writes are not held back until a close; a close that wrote nothing costs
nothing; at most 12 reads ahead are under way at once; locks are the kernel's own.
"""

from bench.efs_stand_in.faults import DIE, HANG, Fault
from bench.efs_stand_in.mounting import Counts, EfsStandIn, StandInError
from bench.efs_stand_in.options import FAST, Options

__all__ = ["DIE", "FAST", "HANG", "Counts", "EfsStandIn", "Fault", "Options", "StandInError"]
