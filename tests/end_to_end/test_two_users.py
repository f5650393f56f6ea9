"""The two users of the mount: what one publishes, another serves, and cannot change."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.support.models import write_adder
from tests.support.places import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.slow

READER_ID: Final = "2000"
"""The readers' user at their access point (infra/constructs/storage.py needs Node to import)."""

READER: Final = """\
import json, os, sys
from pathlib import Path

root, user = Path(sys.argv[1]), int(sys.argv[2])
from bench.events import http_event
from inference.predict_function import handler
from inference.local.gateway import LocalContext

os.setgroups([])
os.setgid(user)
os.setuid(user)
body = json.dumps({"inputs": [
    {"name": "x", "shape": [1, 2], "datatype": "FP32", "data": [1, 2]}]}).encode()
answer = handler(http_event("/v2/models/adder/infer", body), LocalContext())

def tried(change):
    try:
        change()
    except OSError as error:
        return type(error).__name__
    return "done"

places = [root, *sorted(root.rglob("*"))]
changed = {}
for place in places:
    if place.is_dir():
        changed[f"a file in {place}"] = tried((place / "new").touch)
        changed[f"a folder in {place}"] = tried((place / "newer").mkdir)
    else:
        changed[f"writing {place}"] = tried(lambda: place.open("r+b").close())
        changed[f"removing {place}"] = tried(place.unlink)
    changed[f"the mode of {place}"] = tried(lambda: place.chmod(0o777))
print(json.dumps({"answer": answer, "changed": changed}))
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that every user can come by; pytest's own are its user's alone."""
    if os.geteuid() != 0:
        pytest.fail("two users need root to become them: run make test-slow as root")
    made = Path(tempfile.mkdtemp(prefix="coldpress-two-users-"))
    made.chmod(0o755)
    try:
        yield made
    finally:
        shutil.rmtree(made)


def test_what_a_strict_umask_published_is_read_by_another_user_who_can_change_nothing(
    folder: Path,
) -> None:
    write_adder(folder / "adder", 10)
    store = folder / "store"
    publish = [sys.executable, "-m", "model_sync", "publish", "--quiet"]
    subprocess.run(
        [*publish, folder / "adder", "--store", store], cwd=ROOT, check=True, umask=0o077
    )
    done = subprocess.run(
        [sys.executable, "-B", "-c", READER, store, READER_ID],
        cwd=ROOT,
        env={**os.environ, "STORE_PATH": str(store), "POWERTOOLS_METRICS_DISABLED": "true"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    assert json.loads(found["answer"]["body"])["outputs"][0]["data"] == [11.0, 12.0]
    assert len(found["changed"]) > 20
    assert set(found["changed"].values()) == {"PermissionError"}
