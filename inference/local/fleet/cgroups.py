"""Limit an environment's memory and processors as Lambda does, with Linux control groups.

`find_limits` looks for the kernel's folders in which this process may create groups: one a
controller in version 1, one for both in version 2. A group holds the function's runtime and its
descendants. The emulator and the supervisor stay outside, because Lambda runs their counterparts
elsewhere.

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
    """This process cannot create control groups on this machine; the message is one line."""


class Hierarchy(NamedTuple):
    """Mount point of a controller's hierarchy, and the group in it to create others under."""

    version: int
    mounted: Path
    own: Path


class Enclosure(NamedTuple):
    """The control groups of one environment; created before its start, entered by its runtime."""

    folders: tuple[Path, ...]
    limits: Mapping[Path, str]
    kills: Path

    def make(self) -> None:
        """Create the groups and set their limits; raises OSError."""
        for folder in self.folders:
            folder.mkdir(exist_ok=True)
        for path, limit in self.limits.items():
            path.write_text(limit, "ascii")

    def remove(self) -> None:
        """Remove the groups, which must be empty; a missing group is no error."""
        for folder in self.folders:
            with contextlib.suppress(OSError):
                folder.rmdir()

    def entered_by(self, command: Sequence[str]) -> list[str]:
        """Return the command that runs `command` inside the groups."""
        # 0 stands for the writing process: so the runtime never runs outside its groups.
        enter = [f"echo 0 > {shlex.quote(str(folder / 'cgroup.procs'))}" for folder in self.folders]
        return ["/bin/sh", "-c", " && ".join([*enter, 'exec "$@"']), "sh", *command]

    def killed(self) -> int:
        """Return the number of processes inside that the kernel killed for lack of memory."""
        try:
            lines = self.kills.read_text("ascii").splitlines()
        except OSError:  # an old kernel has no such count; the group may be removed
            return 0
        return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), 0)


class Limits(NamedTuple):
    """Limits of environments of one size, and the hierarchies for their groups, by controller."""

    memory_mb: int
    places: Mapping[str, Hierarchy]

    def enclosure(self, name: str) -> Enclosure:
        """Return the groups for an environment of this name, without creating them."""
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
    """Find hierarchies in which groups can be created, and try it; raises NoLimitsError."""
    try:
        by_controller = hierarchies(
            Path("/proc/self/mountinfo").read_text("utf-8"),
            Path("/proc/self/cgroup").read_text("utf-8"),
        )
        limits = Limits(
            memory_mb,
            {name: _with_children(by_controller.get(name), name) for name in _CONTROLLERS},
        )
        trial = limits.enclosure(f"coldpress-{os.getpid()}-trial")
        try:
            trial.make()
        finally:
            trial.remove()
    except OSError as error:
        raise NoLimitsError(f"{error.filename}: {error.strerror}") from None
    return limits


def hierarchies(mountinfo: str, own: str) -> dict[str, Hierarchy]:
    """Locate the memory and cpu controllers from two files of /proc; see proc(5), cgroups(7).

    A controller belongs to version 1 if any of its hierarchies names it, else to version 2.
    """
    by_controller: dict[str, Hierarchy] = {}
    mounts = [_mount(line) for line in mountinfo.splitlines()]
    for line in own.splitlines():
        number, names, path = line.split(":", 2)
        version = 2 if number == "0" and not names else 1
        controllers = (
            set(names.split(",")) if version == 1 else set(_CONTROLLERS) - set(by_controller)
        )
        for kind, root, mounted, options in mounts:
            if kind != ("cgroup" if version == 1 else "cgroup2"):
                continue
            folder = mounted / path.removeprefix(root).lstrip("/")
            for name in _CONTROLLERS:
                if name in controllers and (version == 2 or name in options):
                    by_controller[name] = Hierarchy(version, mounted, folder)
    return by_controller


def _mount(line: str) -> tuple[str, str, Path, set[str]]:
    before, _, after = line.partition(" - ")
    fields, (kind, _, options) = before.split(), after.split(maxsplit=2)
    return kind, fields[3], Path(fields[4]), set(options.split(","))


def _with_children(hierarchy: Hierarchy | None, controller: str) -> Hierarchy:
    """Return the hierarchy with a group whose children get the controller.

    Raises NoLimitsError.
    """
    if hierarchy is None:
        raise NoLimitsError(f"there is no control group for {controller}")
    if hierarchy.version == 1:
        return hierarchy
    # In version 2 a group with processes, such as this process's own, cannot give its children a
    # controller, unless it is the root group. Then its siblings get those of its parent.
    with contextlib.suppress(OSError):
        (hierarchy.own / "cgroup.subtree_control").write_text(f"+{controller}", "ascii")
    for folder in (hierarchy.own, *hierarchy.own.parents):
        if not folder.is_relative_to(hierarchy.mounted):
            break
        if controller in (folder / "cgroup.subtree_control").read_text("ascii").split():
            return hierarchy._replace(own=folder)
    raise NoLimitsError(f"no control group from {hierarchy.own} up gives its children {controller}")


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
