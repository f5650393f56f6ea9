"""Control groups: their place, the limits written to them, and the kernel's enforcement."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from inference.local.fleet.cgroups import Hierarchy, Limits, NoLimitsError, find_limits, hierarchies
from inference.local.fleet.errors import InvocationError

if TYPE_CHECKING:
    from collections.abc import Callable

    from inference.local.fleet.environment import LambdaEnvironment

V1_MOUNTS = """\
31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:9 - cgroup cgroup rw,cpu,cpuacct
35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
"""
V2_MOUNT = "41 31 0:38 / {} rw,relatime - cgroup2 cgroup2 rw\n"
V1_OWN = "9:name=systemd:/\n4:memory:/a/b\n1:cpu,cpuacct:/\n"
UNIFIED = Path("/sys/fs/cgroup")
SCOPE = "user.slice/run.scope"


@pytest.mark.parametrize(
    ("mounts", "own", "memory", "cpu"),
    [
        (
            V1_MOUNTS,
            V1_OWN,
            Hierarchy(1, UNIFIED / "memory", UNIFIED / "memory/a/b"),
            Hierarchy(1, UNIFIED / "cpu,cpuacct", UNIFIED / "cpu,cpuacct"),
        ),
        (
            V1_MOUNTS + V2_MOUNT.format("/sys/fs/cgroup/unified"),
            V1_OWN + "0::/x\n",
            Hierarchy(1, UNIFIED / "memory", UNIFIED / "memory/a/b"),
            Hierarchy(1, UNIFIED / "cpu,cpuacct", UNIFIED / "cpu,cpuacct"),
        ),
        (
            V2_MOUNT.format(UNIFIED),
            f"0::/{SCOPE}\n",
            Hierarchy(2, UNIFIED, UNIFIED / SCOPE),
            Hierarchy(2, UNIFIED, UNIFIED / SCOPE),
        ),
        (  # a container's own mount shows its part alone
            "35 31 0:32 /docker/12 /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n",
            "4:memory:/docker/12/in\n",
            Hierarchy(1, UNIFIED / "memory", UNIFIED / "memory/in"),
            None,
        ),
        ("", "0::/\n", None, None),
    ],
    ids=["version 1", "both", "version 2", "in a container", "nothing mounted"],
)
def test_controllers_are_found_where_they_are_mounted(
    mounts: str, own: str, memory: Hierarchy | None, cpu: Hierarchy | None
) -> None:
    found = hierarchies(mounts, own)
    assert (found.get("memory"), found.get("cpu")) == (memory, cpu)


def test_version_2_has_one_group_for_both(tmp_path: Path) -> None:
    hierarchy = Hierarchy(2, tmp_path, tmp_path)
    enclosure = Limits(1024, {"memory": hierarchy, "cpu": hierarchy}).enclosure("one")
    enclosure.make()
    assert enclosure.folders == (tmp_path / "one",)
    written = {path.name: path.read_text() for path in (tmp_path / "one").iterdir()}
    assert written == {"memory.max": "1073741824", "cpu.max": "11577 20000"}
    (tmp_path / "one" / "memory.events").write_text("low 0\nmax 9\noom 1\noom_kill 1\n")
    assert enclosure.killed() == 1


def test_a_command_enters_every_group_before_it_begins(tmp_path: Path) -> None:
    one, other = (Hierarchy(1, tmp_path, tmp_path / each) for each in ("it's", "b"))
    enclosure = Limits(512, {"memory": one, "cpu": other}).enclosure("group")
    for folder in enclosure.folders:
        folder.mkdir(parents=True)
    command = enclosure.entered_by([sys.executable, "-c", "import sys; print(sys.argv)", "a b"])
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "['-c', 'a b']\n"
    assert [(folder / "cgroup.procs").read_text() for folder in enclosure.folders] == ["0\n"] * 2


def limits(memory_mb: int) -> Limits:
    try:
        return find_limits(memory_mb)
    except NoLimitsError as error:
        pytest.skip(f"needs control groups: {error}")


def test_trying_leaves_no_group() -> None:
    found = limits(512)
    for hierarchy in found.places.values():
        assert not list(hierarchy.own.glob("coldpress-*-tried"))


def test_a_function_that_takes_more_memory_than_it_has_is_killed_and_its_groups_are_removed(
    make: Callable[..., LambdaEnvironment],
) -> None:
    enclosure = limits(256).enclosure("coldpress-test-memory")
    with make(memory_mb=256, enclosure=enclosure) as function:
        assert function.invoke({"do": "fill", "megabytes": 32}) == 32 << 20
        assert not function.ran_out_of_memory()
        with pytest.raises(InvocationError, match="signal: killed"):
            function.invoke({"do": "fill", "megabytes": 1024})
        assert function.ran_out_of_memory()
        assert all(folder.is_dir() for folder in enclosure.folders)
    assert not any(folder.exists() for folder in enclosure.folders)
