"""Many concurrent writers of one model, each a process: a driver for refs/test_many_writers.py.

    python -m tests.model_sync.many_writers STORE FOLDERS LOG PUBLISHERS PROMOTERS TURNS

Forks before anything starts a thread. Publisher i publishes FOLDERS/<i>-<turn>; a promoter puts the
label `stable` on versions that it sees; one reader looks all the time. Each writes what came of
each turn to a file of its own in LOG, a JSON object a line.
"""

from __future__ import annotations

import json
import os
import random
import sys
import traceback
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from model_store.layout import StoreLayout
from model_store.reading import Seen, read_upward, refresh
from model_sync.admin.labels import promote
from model_sync.mounted_store import MountedStore
from model_sync.progress import Silent
from model_sync.publishing.publish import publish
from model_sync.request_fields import RequestFields

if TYPE_CHECKING:
    from collections.abc import Callable

MODEL = "adder"


def main(arguments: list[str]) -> int:
    """Run all writers to their end; 0 if each of them came to it."""
    store, folders, log = map(Path, arguments[:3])
    publishers, promoters, turns = map(int, arguments[3:])
    gate = os.pipe()
    works = [partial(_publisher, store, folders, log, n, turns) for n in range(publishers)]
    works += [partial(_promoter, store, log, n, turns * 5) for n in range(promoters)]
    writers = [_fork(gate, work) for work in works]
    reader = _fork(gate, partial(_reader, store, log))
    for end in gate:
        os.close(end)
    failed = sum(_exit_code(each) != 0 for each in writers)
    (log / "done").touch()
    return failed + (_exit_code(reader) != 0)


def _exit_code(pid: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def _fork(gate: tuple[int, int], work: Callable[[], None]) -> int:
    """Run `work` in a child, once every process has closed the gate's end for writing."""
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        os.close(gate[1])
        os.read(gate[0], 1)
        work()
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def _publisher(store: Path, folders: Path, log: Path, number: int, turns: int) -> None:
    for turn in range(turns):
        folder = folders / f"{number}-{turn}"
        done = publish(folder, store, progress=Silent(), name=MODEL, reason=folder.name)
        _note(log / f"publisher-{number}", {"version": done.version, "reason": folder.name})


def _promoter(store: Path, log: Path, number: int, turns: int) -> None:
    opened = MountedStore(layout=StoreLayout(store), progress=Silent(), who=f"promoter-{number}")
    dice = random.Random(number)  # noqa: S311 - a schedule, no secret
    for turn in range(turns):
        refs = read_upward(opened.layout.model(MODEL))
        assert refs
        reason = f"promoter-{number}-{turn}"
        version = dice.choice(sorted(refs.versions))
        fields = {"model": MODEL, "version": str(version), "label": "stable", "reason": reason}
        found = promote(opened, RequestFields(fields))
        if found["changed"]:
            note = {"generation": found["generation"], "version": version, "reason": reason}
            _note(log / f"promoter-{number}", note)


def _reader(store: Path, log: Path) -> None:
    seen: Seen | None = None
    while not (log / "done").exists():
        seen = refresh(StoreLayout(store), MODEL, seen)
        _note(log / "reader", {"generation": seen.refs.generation})


def _note(path: Path, value: dict[str, Any]) -> None:
    with path.open("a") as out:
        out.write(json.dumps(value) + "\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
