"""Limits an environment's memory and processors as Lambda does, by Linux control groups.

`find_limits` looks for folders of the kernel's in which this process may make groups: one a
controller in version 1, one for both in version 2. A group holds the function's runtime and what
that starts; the emulator and the keeper, which Lambda has elsewhere, stay outside.

Lambda gives a function one processor per 1,769 MB. Sources: Lambda's developer guide, "Configure
Lambda function memory"; the kernel's admin guide, "Control Group v2" and "Memory Resource
Controller".
"""

from __future__ import annotations

import contextlib
import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_MB_A_PROCESSOR: Final = 1769
_PERIOD_US: Final = 20_000
_LEAST_QUOTA_US: Final = 1_000
_CONTROLLERS: Final = ("memory", "cpu")


class NoLimitsError(RuntimeError):
    """This process may not limit others on this machine; the message is one line."""


class Hierarchy(NamedTuple):
    """Where the kernel shows a controller, and this process's own group in it."""

    version: int
    mounted: Path
    own: Path


class Enclosure(NamedTuple):
    """One environment's groups: made before it starts, entered by its runtime."""

    folders: tuple[Path, ...]
    limits: Mapping[Path, str]
    kills: Path

    def make(self) -> None:
        """Make the groups and set their limits; raises OSError."""
        for folder in self.folders:
            folder.mkdir(exist_ok=True)
        for path, limit in self.limits.items():
            path.write_text(limit, "ascii")

    def remove(self) -> None:
        """Remove the groups, which must be empty; what is not there is no error."""
        for folder in self.folders:
            with contextlib.suppress(OSError):
                folder.rmdir()

    def entered_by(self, command: Sequence[str]) -> list[str]:
        """The command that runs this command inside."""
        # 0 is whoever writes it: nothing runs outside for a moment, or has to be found.
        enter = [f"echo 0 > {shlex.quote(str(folder / 'cgroup.procs'))}" for folder in self.folders]
        return ["/bin/sh", "-c", " && ".join([*enter, 'exec "$@"']), "sh", *command]

    def killed(self) -> int:
        """How many processes inside the kernel has killed for want of memory."""
        try:
            lines = self.kills.read_text("ascii").splitlines()
        except OSError:  # an old kernel does not count, and a removed group has nothing to say
            return 0
        return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), 0)


class Limits(NamedTuple):
    """What environments of one size may use, and where their groups go, by controller."""

    memory_mb: int
    places: Mapping[str, Hierarchy]

    def enclosure(self, name: str) -> Enclosure:
        """The groups of an environment of this name; nothing is made yet."""
        folders = {each: hierarchy.own / name for each, hierarchy in self.places.items()}
        limits: dict[Path, str] = {}
        for controller, hierarchy in self.places.items():
            for file, value in _files(controller, hierarchy.version, self.memory_mb).items():
                limits[folders[controller] / file] = value
        counted = "memory.oom_control" if self.places["memory"].version == 1 else "memory.events"
        return Enclosure(
            tuple(dict.fromkeys(folders.values())), limits, folders["memory"] / counted
        )


def find_limits(memory_mb: int) -> Limits:
    """Find where groups can be made, and try it; raises NoLimitsError with the reason."""
    try:
        found = hierarchies(
            Path("/proc/self/mountinfo").read_text("utf-8"),
            Path("/proc/self/cgroup").read_text("utf-8"),
        )
        limits = Limits(
            memory_mb,
            {name: _with_children(found.get(name), name) for name in _CONTROLLERS},
        )
        tried = limits.enclosure(f"coldpress-{os.getpid()}-tried")
        try:
            tried.make()
        finally:
            tried.remove()
    except OSError as error:
        raise NoLimitsError(f"{error.filename}: {error.strerror}") from None
    return limits


def hierarchies(mountinfo: str, own: str) -> dict[str, Hierarchy]:
    """Where the memory and cpu controllers are, from two files of /proc; see proc(5), cgroups(7).

    A controller belongs to version 1 if any of its hierarchies names it, else to version 2.
    """
    found: dict[str, Hierarchy] = {}
    mounts = [_mount(line) for line in mountinfo.splitlines()]
    for line in own.splitlines():
        number, names, path = line.split(":", 2)
        version = 2 if number == "0" and not names else 1
        controllers = set(names.split(",")) if version == 1 else set(_CONTROLLERS) - set(found)
        for kind, root, mounted, options in mounts:
            if kind != ("cgroup" if version == 1 else "cgroup2"):
                continue
            folder = mounted / path.removeprefix(root).lstrip("/")
            for name in _CONTROLLERS:
                if name in controllers and (version == 2 or name in options):
                    found[name] = Hierarchy(version, mounted, folder)
    return found


def _mount(line: str) -> tuple[str, str, Path, set[str]]:
    before, _, after = line.partition(" - ")
    fields, (kind, _, options) = before.split(), after.split(maxsplit=2)
    return kind, fields[3], Path(fields[4]), set(options.split(","))


def _with_children(hierarchy: Hierarchy | None, controller: str) -> Hierarchy:
    """Where in a hierarchy a new group has the controller; raises NoLimitsError."""
    if hierarchy is None:
        raise NoLimitsError(f"there is no control group for {controller}")
    if hierarchy.version == 1:
        return hierarchy
    # In version 2 a group that has processes, such as this one, gives its children no controller,
    # unless it is the machine's root; but the groups beside it have those of its parent.
    with contextlib.suppress(OSError):
        (hierarchy.own / "cgroup.subtree_control").write_text(f"+{controller}", "ascii")
    for folder in (hierarchy.own, *hierarchy.own.parents):
        if not folder.is_relative_to(hierarchy.mounted):
            break
        if controller in (folder / "cgroup.subtree_control").read_text("ascii").split():
            return hierarchy._replace(own=folder)
    raise NoLimitsError(f"no control group from {hierarchy.own} up gives others {controller}")


def _files(controller: str, version: int, memory_mb: int) -> dict[str, str]:
    quota_us = max(_PERIOD_US * memory_mb // _MB_A_PROCESSOR, _LEAST_QUOTA_US)
    match controller, version:
        case "memory", 1:
            return {"memory.limit_in_bytes": str(memory_mb << 20)}
        case "memory", _:
            return {"memory.max": str(memory_mb << 20)}
        case _, 1:
            return {"cpu.cfs_period_us": str(_PERIOD_US), "cpu.cfs_quota_us": str(quota_us)}
        case _:
            return {"cpu.max": f"{quota_us} {_PERIOD_US}"}
