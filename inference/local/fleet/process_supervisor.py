"""Supervise a command's processes, and end all of them. Linux only.

Run as a script, this file is the supervisor. It starts the command given to it, becomes the parent
of every orphaned descendant, and ends all of them when the command ends or when its own standard
input closes. The kernel closes this pipe however its holder dies, so no process outlives the one
that started it; and `processes` is complete, because no descendant can daemonize out of sight. The
empty folders (cgroups, say) that `--remove=FOLDER` names before the command are removed when all
processes have ended.

PR_SET_PDEATHSIG alone is not enough: the kernel sends it when the *thread* that started the command
ends, and only to the command, whose own processes then continue.
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


def processes(supervisor: int) -> list[int]:
    """Return the living descendants of `supervisor`, parents before children.

    If the supervisor was killed: the processes of its session. A process may be missing if it is
    forked, or orphaned, during the call.
    """
    pids = [supervisor]
    try:
        for parent in pids:  # the list grows during the loop
            pids += [pid for pid in _children(parent) if pid not in pids]
    except OSError:  # a process ended, or this kernel does not list children
        return _processes_by_parent(supervisor)
    return [pid for pid in pids[1:] if lives(pid)] or _processes_by_parent(supervisor)


def _children(pid: int) -> list[int]:
    """Return the children of a process, zombies too; costs a tenth of listing all of /proc."""
    return [int(child) for line in _of_threads(pid, "children") for child in line.split()]


def _of_threads(pid: int, name: str) -> Iterator[bytes]:
    """Yield the content of each thread's /proc file of this name; raises OSError."""
    folder = f"/proc/{pid}/task"
    for thread in os.listdir(folder):  # noqa: PTH208 - half the cost of a Path's
        descriptor = os.open(f"{folder}/{thread}/{name}", os.O_RDONLY)
        try:
            yield os.read(descriptor, 65_536)
        finally:
            os.close(descriptor)


def _state(stat: bytes) -> bytes:
    """Return the state's letter; it follows the name in parentheses, which may hold any byte."""
    return stat[stat.rindex(b")") + 2 :][:1]


def _processes_by_parent(supervisor: int) -> list[int]:
    children: dict[int, list[int]] = {}
    session: list[int] = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            stat = (entry / "stat").read_bytes()
        except OSError:  # the process ended after the listing
            continue
        state, parent, _, leader = stat.rpartition(b")")[2].split()[:4]
        if state not in b"ZX" and int(entry.name) != supervisor:
            children.setdefault(int(parent), []).append(int(entry.name))
            if int(leader) == supervisor:
                session.append(int(entry.name))
    pids = sorted(children.get(supervisor, []))
    for parent_pid in pids:  # the list grows during the loop
        pids += sorted(children.get(parent_pid, []))
    return pids + [pid for pid in session if pid not in pids]


def lives(pid: int) -> bool:
    """Return True if the process exists, running or stopped, and is no zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return False
    return _state(stat) not in b"ZX"


def runs(pid: int) -> bool:
    """Return True if a thread of this process may execute the program's own instructions."""
    try:
        # T and t: stopped. Z and X: ended. D: in a system call, at whose end it stops.
        return any(_state(stat) not in b"TtZXD" for stat in _of_threads(pid, "stat"))
    except OSError:  # a thread or the process ended during the read: ask again
        return Path(f"/proc/{pid}").exists()


def listens(pid: int, ports: set[int]) -> bool:
    """Return True if this process itself listens on all these ports."""
    listening: dict[str, int] = {}
    try:
        for line in Path(f"/proc/{pid}/net/tcp").read_text("ascii").splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A":  # TCP_LISTEN
                listening[fields[9]] = int(fields[1].partition(":")[2], 16)
        targets = [str(each.readlink()) for each in Path(f"/proc/{pid}/fd").iterdir()]
    except OSError:  # the process ended, or closed a file, after the listing
        return False
    inodes = re.findall(r"socket:\[(\d+)\]", " ".join(targets))
    return ports <= {listening[inode] for inode in inodes if inode in listening}


def signal_all(pids: list[int], number: signal.Signals) -> None:
    """Send a signal to each process; an ended process is no error."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def _supervise(command: list[str]) -> int:
    libc = ctypes.CDLL(None)
    libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    wake_reader, wake_writer = os.pipe()
    os.set_blocking(wake_writer, False)
    signal.set_wakeup_fd(wake_writer)
    signal.signal(signal.SIGCHLD, lambda *_: None)  # without a handler, nothing wakes the pipe
    # Keep a reference: the destructor would reap the process, and its exit code would be lost.
    popen = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        # Safe here and not in the caller: the supervisor's only thread lives as long as it does.
        preexec_fn=lambda: libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0),  # noqa: PLW1509
    )
    command_pid = popen.pid
    status = None
    end_requested = False
    while status is None and not end_requested:
        ready, _, _ = select.select([sys.stdin, wake_reader], [], [])
        if wake_reader in ready:
            os.read(wake_reader, 512)
        status = _reap(command_pid)
        end_requested = sys.stdin in ready
    if status is None:
        signal_all(processes(os.getpid()), signal.SIGCONT)
        signal_all([command_pid], signal.SIGTERM)
        deadline = time.monotonic() + _SHUTDOWN_S
        while (status := _reap(command_pid)) is None and time.monotonic() < deadline:
            time.sleep(_POLL_S)
    while left := processes(os.getpid()):
        signal_all(left, signal.SIGKILL)
        time.sleep(_POLL_S)
        _reap(command_pid)
    return 0 if status is None else status


def _main(arguments: list[str]) -> int:
    option = "--remove="
    folders = list(itertools.takewhile(lambda each: each.startswith(option), arguments))
    status = _supervise(arguments[len(folders) :])
    for folder in folders:
        _remove(Path(folder.removeprefix(option)))
    return status


def _remove(folder: Path) -> None:
    deadline = time.monotonic() + _REMOVAL_S
    while folder.exists() and time.monotonic() < deadline:
        try:
            folder.rmdir()
        except OSError:  # a process stays in its group for a moment after its end
            time.sleep(_POLL_S)


def _reap(pid: int) -> int | None:
    """Reap ended processes, orphans too; return the exit code of `pid` if it has ended.

    The exit code is a shell's: 128 plus the signal's number for a killed process.
    """
    code = None
    with contextlib.suppress(ChildProcessError):
        while (ended := os.waitpid(-1, os.WNOHANG))[0] != 0:
            if ended[0] == pid:
                code = os.waitstatus_to_exitcode(ended[1])
    return 128 - code if code is not None and code < 0 else code


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1:]))
