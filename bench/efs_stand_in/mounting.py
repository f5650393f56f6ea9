"""A mounted stand-in, as a context manager."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final, NamedTuple, Self

from bench.efs_stand_in import guard
from bench.efs_stand_in.faults import HANG, Fault
from bench.efs_stand_in.options import KERNEL_READ_AHEAD_KIB, Options
from inference.local.fleet import process_supervisor as keeping

if TYPE_CHECKING:
    from types import TracebackType

_ROOT: Final = Path(__file__).resolve().parents[2]
_START_S: Final = 30.0
_STOP_S: Final = 10.0
_ANSWER_S: Final = 10.0
_POLL_S: Final = 0.002

# close() does not wait for the release of the file, so a release may be counted late.
_NO_ROUND_TRIP: Final = frozenset({"flush", "release", "releasedir", "read_bytes", "written_bytes"})


class StandInError(RuntimeError):
    """The stand-in did not start, is not running, or did not answer."""


class Counts(dict[str, int]):
    """Exact number of calls by operation, and `read_bytes` and `written_bytes`; 0 if absent.

    Operations are FUSE's: lookup, getattr, setattr, open, create, read, write, flush (a close),
    fsync, link, rename, unlink, mkdir, rmdir, opendir, readdir, fsyncdir, statfs, ...
    """

    def __missing__(self, operation: str) -> int:
        return 0

    @property
    def round_trips(self) -> int:
        """Number of calls that a process waits for, except closes of unwritten files."""
        return sum(count for name, count in self.items() if name not in _NO_ROUND_TRIP)


class Set(NamedTuple):
    """A fault that was activated."""

    stand_in: EfsStandIn
    number: int

    @property
    def hits(self) -> int:
        """Return the number of calls that the fault hit so far."""
        return int(self.stand_in.ask("hits", number=self.number)["hits"])


class EfsStandIn:
    """A folder mounted from `start` to `stop` as EFS would mount it. A context manager.

    `mountpoint` must be an empty folder; neither `mountpoint` nor `source` may contain the other.
    A change made directly in `source` counts as another client's. Not thread-safe except for
    reading counts. Needs /dev/fuse; access by other users and another read-ahead need root.
    """

    def __init__(self, source: Path, mountpoint: Path, options: Options | None = None) -> None:
        self.source: Final = source.resolve()
        self.mountpoint: Final = mountpoint.resolve()
        self.options: Final = options or Options()
        self._keeper: subprocess.Popen[bytes] | None = None
        self._folder: Path | None = None
        self._log: IO[bytes] | None = None

    def start(self) -> Self:
        """Mount, and return when the mount answers. Raise StandInError if it does not."""
        if self._keeper is not None:
            raise StandInError("it is mounted already")
        if self.source.is_relative_to(self.mountpoint) or self.mountpoint.is_relative_to(
            self.source
        ):
            raise StandInError(f"{self.mountpoint} and {self.source} lie one in the other")
        self._folder = Path(tempfile.mkdtemp(prefix="coldpress-efs-control-"))
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - stop closes it
        daemon = [sys.executable, "-m", "bench.efs_stand_in.daemon"]
        places = [self.source, self.mountpoint, self._socket]
        isolated = [sys.executable, "-I", "-S"]
        try:
            self._keeper = subprocess.Popen(
                [
                    *[*isolated, keeping.__file__],
                    *[*isolated, guard.__file__, str(self.mountpoint), str(self._folder)],
                    *[*daemon, *map(str, places), *self.options.arguments()],
                ],
                stdin=subprocess.PIPE,
                stdout=self._log,
                stderr=subprocess.STDOUT,
                env={**os.environ, "PYTHONPATH": str(_ROOT)},
                start_new_session=True,  # Ctrl-C is the owner's to handle
            )
            self._wait_until_ready()
            self._read_ahead()
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """Unmount, even if processes use the mount or hang in it. Calling it again does nothing."""
        keeper, self._keeper = self._keeper, None
        if keeper is not None:
            if keeper.stdin is not None:
                keeper.stdin.close()  # the keeper tells the guard, which does the rest
            with contextlib.suppress(subprocess.TimeoutExpired):
                keeper.wait(_STOP_S)
            # The mount is left if the keeper or the guard was killed.
            keeping.signal_all(keeping.processes(keeper.pid), signal.SIGKILL)
            if keeper.poll() is None:
                keeper.kill()
                keeper.wait()
        if _device_of(self.mountpoint) is not None:
            guard.unmount(str(self.mountpoint))
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None
        if self._log is not None:
            self._log.close()
            self._log = None

    def is_serving(self) -> bool:
        """Return True if the process of the file system is running."""
        return self._daemon() is not None

    def restart(self) -> Self:
        """Mount again, with empty caches, counts of zero and no faults."""
        self.stop()
        return self.start()

    def kill(self) -> None:
        """Kill the process: every call fails with ENOTCONN until `restart` or `stop`."""
        daemon = self._daemon()
        if daemon is not None:
            keeping.signal_all([daemon], signal.SIGKILL)
        deadline = time.monotonic() + _STOP_S
        while self._daemon() is not None:
            if time.monotonic() > deadline:
                raise StandInError("its process does not end")
            time.sleep(_POLL_S)

    # What it counts

    def counts(self) -> Counts:
        """Return the number of calls since the start or the last reset."""
        return Counts(self.ask("counts")["counts"])

    def traced(self) -> list[tuple[str, ...]]:
        """Return each call since the last reset with its paths; needs `Options.trace`."""
        return [tuple(each) for each in self.ask("traced")["traced"]]

    def reads(self) -> list[tuple[str, int, int]]:
        """Return path, offset and size of each read since the last reset; needs `Options.trace`."""
        return [(names[0], *place) for names, *place in self.ask("reads")["reads"] if names]

    def reset(self) -> None:
        """Set all counts to zero."""
        self.ask("reset")

    # What goes wrong

    def fail(self, operation: str, does: str, path: str = "*", **when: Any) -> Set:
        """Activate a `Fault`: `fail("write", "ENOSPC", "staging/*", nth=3)`."""
        fault = Fault(operation, does, path, **when)
        return Set(self, self.ask("fault", fault=dataclasses.asdict(fault))["number"])

    def hang(self, operation: str = "*", path: str = "*") -> Set:
        """Make matching calls hang from now on, until `heal`."""
        return self.fail(operation, HANG, path, times=None)

    def heal(self) -> None:
        """Deactivate all faults; hanging calls continue and succeed."""
        self.ask("heal")

    def ask(self, do: str, **more: Any) -> dict[str, Any]:
        """Send a request to the process over the control socket. Raise StandInError if it fails."""
        try:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(_ANSWER_S)
                connection.connect(str(self._socket))
                connection.sendall(json.dumps({"do": do, **more}).encode() + b"\n")
                with connection.makefile("rb") as stream:
                    line = stream.readline()
        except OSError as error:
            raise StandInError(f"the stand-in does not answer: {error}") from error
        answer: dict[str, Any] = json.loads(line) if line else {"error": "it ended"}
        if "error" in answer:
            raise StandInError(answer["error"])
        return answer

    @property
    def _socket(self) -> Path:
        if self._folder is None:
            raise StandInError("it is not mounted")
        return self._folder / "control"

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + _START_S
        while True:
            try:
                self.ask("ready")
            except StandInError:
                ended = self._keeper is None or self._daemon() is None
                if (ended and self._last_words()) or time.monotonic() > deadline:
                    raise StandInError(
                        f"the stand-in did not start: {self._last_words() or 'no answer'}"
                    ) from None
                time.sleep(_POLL_S)
            else:
                if _device_of(self.mountpoint) is not None:
                    return

    def _read_ahead(self) -> None:
        device = _device_of(self.mountpoint)
        place = Path(f"/sys/class/bdi/{device}/read_ahead_kb")
        wanted = str(self.options.read_ahead_kib)
        if place.read_text().strip() == wanted:
            return
        try:
            place.write_text(wanted)
        except PermissionError:
            raise StandInError(
                f"a read-ahead other than {KERNEL_READ_AHEAD_KIB} KiB needs root"
            ) from None

    def _daemon(self) -> int | None:
        """Return the id of the process that serves the mount: the guard's only child."""
        if self._keeper is None:
            return None
        processes = keeping.processes(self._keeper.pid)
        return processes[1] if len(processes) > 1 else None

    def _last_words(self) -> str:
        if self._log is None:
            return ""
        size = os.fstat(self._log.fileno()).st_size
        text = os.pread(self._log.fileno(), size, 0).decode(errors="replace")
        return "\n".join(text.splitlines()[-8:])

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()


def _device_of(mountpoint: Path) -> str | None:
    """Return a mount's device as `major:minor`, or None if nothing is mounted there.

    Read from the kernel's list of mounts: accessing the mount itself may hang.
    """
    for line in Path("/proc/self/mountinfo").read_text("utf-8").splitlines():
        fields = line.split(" ")
        place = re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), fields[4])
        if place == str(mountpoint):
            return fields[2]
    return None
