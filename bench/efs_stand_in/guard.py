"""Script that runs a file system's process and unmounts after it, however it ends. Linux only.

`guard.py MOUNTPOINT FOLDER COMMAND...` starts the command and waits for SIGTERM, even after the
command has ended: the mount of a dead process must stay and fail for its users. Then the script
kills the command, which releases processes that hang in the mount; unmounts; and removes FOLDER,
which holds the command's socket.
"""

import ctypes
import shutil
import signal
import subprocess
import sys

# From linux/prctl.h.
_PR_SET_PDEATHSIG = 1


def unmount(mountpoint: str) -> None:
    """Unmount now, even if the mount is in use; a missing mount is not an error."""
    for command in (["fusermount3", "-u", "-z", "-q", mountpoint], ["umount", "-l", mountpoint]):
        done = subprocess.run(command, stderr=subprocess.DEVNULL, check=False)
        if done.returncode == 0:
            return


def _guard(mountpoint: str, folder: str, command: list[str]) -> None:
    signals = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)  # before the command starts: none is missed
    libc = ctypes.CDLL(None)

    def prepare() -> None:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, signals)
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)

    guarded = subprocess.Popen(command, preexec_fn=prepare)  # noqa: PLW1509 - one thread
    signal.sigwait(signals)
    guarded.kill()
    guarded.wait()
    unmount(mountpoint)
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    _guard(sys.argv[1], sys.argv[2], sys.argv[3:])
