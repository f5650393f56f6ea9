"""A stand-in for EFS: a folder mounted with an NFS client's delays, caches and failures.

    with EfsStandIn(source, mountpoint, Options(read_ahead_kib=15_000)) as efs:
        ...                                   # use efs.mountpoint
        efs.counts()["open"]                  # exact, while it runs
        efs.fail("write", "ENOSPC", "staging/*", nth=3)
        efs.hang("open", "models/*/refs.json"); efs.heal()
        efs.kill(); efs.restart()             # the mount gone, and back

By hand: `python -m bench.efs_stand_in SOURCE MOUNTPOINT`, until Ctrl-C.

The stand-in is a FUSE file system in its own process. The process supervisor of
inference/local/fleet ends that process, and guard.py unmounts the folder, however the owner ends.
It needs pyfuse3, and Debian's fuse3 and libfuse3-dev (`make system-packages`).

Like an NFS client, the stand-in

- revalidates a file at every open (close-to-open consistency), but not a cached name;
- caches attributes and names for a few seconds;
- keeps an unchanged file's page cache across opens, and drops a changed file's;
- answers ESTALE for a file that another client deleted;
- leaves reading ahead to the kernel.

Unlike an NFS client, it does not delay writes until a close, a close without writes is free, at
most 12 reads ahead are in progress at once, and locks are the kernel's own.
"""

from bench.efs_stand_in.faults import DIE, HANG, Fault
from bench.efs_stand_in.mounting import Counts, EfsStandIn, StandInError
from bench.efs_stand_in.options import FAST, Options

__all__ = ["DIE", "FAST", "HANG", "Counts", "EfsStandIn", "Fault", "Options", "StandInError"]
