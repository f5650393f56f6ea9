"""The readers' user over the mount: it serves what another published, and can change nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Final

import pytest

from model_sync.progress import Silent
from model_sync.publishing.publish import publish
from tests.support.models import write_adder
from tests.support.places import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from bench.efs_stand_in import EfsStandIn

pytestmark = pytest.mark.slow

READER_ID: Final = "2000"

READ: Final = """\
import json, os, sys
from pathlib import Path
user, store = int(sys.argv[1]), Path(sys.argv[2])
from inference.loading.loader import load_version
from inference.serving.manager import Manager
from model_store.layout import StoreLayout
os.setgroups([]); os.setgid(user); os.setuid(user)
loaded = Manager(StoreLayout(store), ref_ttl_s=0.0, load=load_version).resolve("adder").loaded

def tried(change):
    try:
        change()
    except OSError as error:
        return type(error).__name__
    return "done"

places = [store, *store.rglob("*")]
print(json.dumps({
    "version": loaded.number,
    "tried": sorted({
        tried(change)
        for place in places
        for change in (
            (lambda: (place / "new").touch()) if place.is_dir()
            else (lambda: place.open("r+b").close()),
            lambda: place.chmod(0o777),
            lambda: place.rename(place.with_name("renamed")),
        )
    }),
}))
"""


def test_the_readers_serve_what_the_writer_published_and_can_change_nothing(
    efs: EfsStandIn, folder: Path
) -> None:
    if os.geteuid() != 0:
        pytest.fail("two users need root to become them: run make test-slow as root")
    write_adder(folder / "adder", 10.0)
    store = efs.mountpoint / "store"
    before = os.umask(0o077)
    try:
        publish(folder / "adder", store, progress=Silent())
    finally:
        os.umask(before)
    done = subprocess.run(
        [sys.executable, "-B", "-c", READ, READER_ID, store],
        cwd=ROOT,
        env={**os.environ, "POWERTOOLS_METRICS_DISABLED": "true"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == {"version": 1, "tried": ["PermissionError"]}
