"""Eight publishers and eight promoters at once: nothing is lost, nothing is used twice."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any, Final

import pytest

from model_store.files import check_file
from model_store.layout import StoreLayout
from model_store.reading import read_generation, read_upward, read_version
from model_sync.progress import Silent
from model_sync.publishing.publish import publish
from tests.support.models import write_adder
from tests.support.places import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from model_store.refs import Refs

pytestmark = pytest.mark.slow

DRIVER: Final = (sys.executable, "-m", "tests.model_sync.many_writers")
PUBLISHERS, PROMOTERS, TURNS = 8, 8, 2


def notes(log: Path, kind: str) -> list[dict[str, Any]]:
    lines = (
        line for path in sorted(log.glob(f"{kind}*")) for line in path.read_text().splitlines()
    )
    return [json.loads(line) for line in lines]


def all_generations(layout: StoreLayout) -> list[Refs]:
    found: list[Refs] = []
    for number in itertools.count(1):
        refs = read_generation(layout.model("adder"), number)
        if refs is None:
            return found
        found.append(refs)
    raise AssertionError


def test_no_update_is_lost_and_no_number_used_twice(tmp_path: Path) -> None:
    store, folders, log = (tmp_path / name for name in ("store", "folders", "log"))
    log.mkdir()
    for publisher, turn in itertools.product(range(PUBLISHERS), range(TURNS)):
        write_adder(folders / f"{publisher}-{turn}", 1 + publisher + 100 * turn)
    write_adder(tmp_path / "first", 0)
    publish(tmp_path / "first", store, progress=Silent(), name="adder", reason="first")
    numbers = [str(number) for number in (PUBLISHERS, PROMOTERS, TURNS)]
    done = subprocess.run(
        [*DRIVER, store, folders, log, *numbers],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr

    layout = StoreLayout(store)
    generations = all_generations(layout)
    published, promoted = notes(log, "publisher"), notes(log, "promoter")

    # Every success is one generation, and every generation one success.
    assert len(published) == PUBLISHERS * TURNS
    assert len(generations) == 1 + len(published) + len(promoted)
    assert sorted(refs.change.reason for refs in generations) == sorted(
        ["first", *(note["reason"] for note in (*published, *promoted))]
    )
    by_reason = {refs.change.reason: refs for refs in generations}
    for note in promoted:
        refs = by_reason[note["reason"]]
        assert (refs.generation, refs.labels["stable"]) == (note["generation"], note["version"])

    # Numbers are 1 to n, in the order of the generations that assigned them.
    versions = [by_reason["first"].labels["latest"]]
    versions += sorted(note["version"] for note in published)
    assert versions == list(range(1, len(published) + 2))

    # Each generation is the one before it and its own change, and nothing else.
    for before, after in itertools.pairwise(generations):
        if after.change.verb == "publish":
            number = before.next_version
            assert after.next_version == number + 1
            assert after.labels == {**before.labels, "latest": number}
            assert after.versions == {**before.versions, number: after.versions[number]}
        else:
            assert after.labels == {**before.labels, "stable": after.labels["stable"]}
            assert (after.versions, after.next_version) == (before.versions, before.next_version)

    # Readers never went back, refs.json is the newest, and every version is whole.
    seen = [note["generation"] for note in notes(log, "reader")]
    assert seen == sorted(seen)
    assert len(set(seen)) > 1
    newest = read_upward(layout.model("adder"))
    assert newest == generations[-1]
    assert layout.model("adder").refs_json.read_bytes() == newest.render()
    for entry in newest.versions.values():
        for file in read_version(layout, "adder", entry).content.files:
            check_file(layout.model("adder").version(entry.id), file)
    assert len(list(layout.model("adder").versions.iterdir())) == len(newest.versions)
    assert list((store / "staging").iterdir()) == []
