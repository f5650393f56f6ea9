"""Keeps a command's processes together, and ends them all. Linux only.

Run as a script, this file is the keeper: it starts the command given to it, adopts every process
that comes from it, and ends them all when the command ends or when its own standard input
closes. The kernel closes that pipe however its holder dies, so nothing outlives the process that
started it, and `processes` is complete: nothing can daemonize out of sight. Empty folders named
by `--remove=FOLDER` before the command (cgroups, say) are removed when all have ended.

Why not PR_SET_PDEATHSIG alone: it fires when the *thread* that started the command ends, and it
reaches only the command, which when killed leaves its own processes running.
"""

import contextlib
import ctypes
import itertools
import os
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

# From linux/prctl.h.
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
# Lambda gives extensions two seconds to shut down; the emulator does too.
_SHUTDOWN_S = 3.0
_REMOVAL_S = 3.0
_POLL_S = 0.002


def processes(keeper: int) -> list[int]:
    """Return the living processes that came from `keeper`, parents before children, without it.

    Came from it: descends from it, or is in its session should it have been killed. May miss what
    is forked, or what a process that ends during the look leaves behind.
    """
    found = [keeper]
    try:
        for parent in found:  # grows while it is walked
            found += [pid for pid in _children(parent) if pid not in found]
    except OSError:  # it ended meanwhile, or this kernel does not list children
        return _processes_by_parent(keeper)
    return [pid for pid in found[1:] if lives(pid)] or _processes_by_parent(keeper)


def _children(pid: int) -> list[int]:
    """The children of each of its threads, zombies too; a tenth of a look at all of /proc."""
    return [int(child) for found in _of_threads(pid, "children") for child in found.split()]


def _of_threads(pid: int, name: str) -> Iterator[bytes]:
    """What each thread's file of this name in /proc says; raises OSError."""
    folder = f"/proc/{pid}/task"
    for thread in os.listdir(folder):  # noqa: PTH208 - half the cost of a Path's
        opened = os.open(f"{folder}/{thread}/{name}", os.O_RDONLY)
        try:
            yield os.read(opened, 65_536)
        finally:
            os.close(opened)


def _state(stat: bytes) -> bytes:
    """The letter after the name, which may hold anything."""
    return stat[stat.rindex(b")") + 2 :][:1]


def _processes_by_parent(keeper: int) -> list[int]:
    children: dict[int, list[int]] = {}
    session: list[int] = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            stat = (entry / "stat").read_bytes()
        except OSError:  # it ended since it was listed
            continue
        state, parent, _, leader = stat.rpartition(b")")[2].split()[:4]
        if state not in b"ZX" and int(entry.name) != keeper:
            children.setdefault(int(parent), []).append(int(entry.name))
            if int(leader) == keeper:
                session.append(int(entry.name))
    found = sorted(children.get(keeper, []))
    for parent_pid in found:  # grows while it is walked
        found += sorted(children.get(parent_pid, []))
    return found + [pid for pid in session if pid not in found]


def lives(pid: int) -> bool:
    """Whether there is such a process, stopped perhaps, and no zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return False
    return _state(stat) not in b"ZX"


def runs(pid: int) -> bool:
    """Whether a thread of this process may run the program's own instructions."""
    try:
        # T and t: stopped. Z and X: ended. D: in the kernel, and stops on its way out.
        return any(_state(stat) not in b"TtZXD" for stat in _of_threads(pid, "stat"))
    except OSError:  # a thread or the process ended meanwhile: look again
        return Path(f"/proc/{pid}").exists()


def listens(pid: int, ports: set[int]) -> bool:
    """Whether this very process listens on all these ports, and not another that was faster."""
    listening: dict[str, int] = {}
    try:
        for line in Path(f"/proc/{pid}/net/tcp").read_text("ascii").splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A":  # TCP_LISTEN
                listening[fields[9]] = int(fields[1].partition(":")[2], 16)
        opened = [str(each.readlink()) for each in Path(f"/proc/{pid}/fd").iterdir()]
    except OSError:  # it ended, or closed one, since it was listed
        return False
    inodes = re.findall(r"socket:\[(\d+)\]", " ".join(opened))
    return ports <= {listening[inode] for inode in inodes if inode in listening}


def signal_all(pids: list[int], number: signal.Signals) -> None:
    """Send a signal to each process; one that has ended is no error."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def _keep(command: list[str]) -> int:
    libc = ctypes.CDLL(None)
    libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake)
    signal.signal(signal.SIGCHLD, lambda *_: None)  # without a handler, nothing wakes the pipe
    # Held to the end: an object let go reaps its process, and the exit code would be lost.
    popen = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        # Safe here and not in the caller: the keeper has one thread, which lives as long as it.
        preexec_fn=lambda: libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0),  # noqa: PLW1509
    )
    kept = popen.pid
    status = None
    told_to_end = False
    while status is None and not told_to_end:
        ready, _, _ = select.select([sys.stdin, woken], [], [])
        if woken in ready:
            os.read(woken, 512)
        status = _reap(kept)
        told_to_end = sys.stdin in ready
    if status is None:
        signal_all(processes(os.getpid()), signal.SIGCONT)
        signal_all([kept], signal.SIGTERM)
        deadline = time.monotonic() + _SHUTDOWN_S
        while (status := _reap(kept)) is None and time.monotonic() < deadline:
            time.sleep(_POLL_S)
    while left := processes(os.getpid()):
        signal_all(left, signal.SIGKILL)
        time.sleep(_POLL_S)
        _reap(kept)
    return 0 if status is None else status


def _main(arguments: list[str]) -> int:
    option = "--remove="
    folders = list(itertools.takewhile(lambda each: each.startswith(option), arguments))
    status = _keep(arguments[len(folders) :])
    for folder in folders:
        _remove(Path(folder.removeprefix(option)))
    return status


def _remove(folder: Path) -> None:
    deadline = time.monotonic() + _REMOVAL_S
    while folder.exists() and time.monotonic() < deadline:
        try:
            folder.rmdir()
        except OSError:  # the kernel counts a process to its group for a moment after its end
            time.sleep(_POLL_S)


def _reap(wanted: int) -> int | None:
    """Reap what has ended, orphans too; return the shell's exit code for `wanted` if it has."""
    code = None
    with contextlib.suppress(ChildProcessError):
        while (ended := os.waitpid(-1, os.WNOHANG))[0] != 0:
            if ended[0] == wanted:
                code = os.waitstatus_to_exitcode(ended[1])
    return 128 - code if code is not None and code < 0 else code


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1:]))
