"""Processes that commit at once: no update is lost, no generation skipped, no number used twice."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from typing import TYPE_CHECKING, Final

from model_store.reading import read_upward
from model_store.refs import Refs
from tests.support.places import ROOT

if TYPE_CHECKING:
    from model_store.layout import ModelLayout, StoreLayout

WRITERS: Final = 5
EACH: Final = 8


def _race(layout: StoreLayout) -> list[dict[int, str]]:
    """Results that the writers received: {number: id of its version}."""
    writers = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.model_sync.racing_writer", layout.root, str(EACH)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(WRITERS)
    ]
    for writer in writers:
        assert writer.stdout
        assert writer.stdout.readline() == "ready\n"
    # They wait for this alone, so they start together.
    for writer in writers:
        assert writer.stdin
        writer.stdin.close()
        writer.stdin = None
    told = [writer.communicate()[0] for writer in writers]
    assert [writer.returncode for writer in writers] == [0] * WRITERS
    return [{int(number): made for number, made in json.loads(each).items()} for each in told]


def test_of_all_who_commit_at_once_none_loses_an_update(
    layout: StoreLayout, model: ModelLayout
) -> None:
    told = _race(layout)
    generations = range(1, WRITERS * EACH + 1)

    assert sorted(model.refs_folder.iterdir()) == sorted(map(model.generation, generations))
    history = [
        Refs.parse(model.generation(number).read_bytes(), str(number)) for number in generations
    ]
    assert [refs.generation for refs in history] == list(generations)
    assert len({refs.writer for refs in history}) == len(history)
    for earlier, later in itertools.pairwise(history):
        assert earlier.versions.items() <= later.versions.items()
        assert later.next_version == earlier.next_version + 1

    newest = history[-1]
    assert sorted(newest.versions) == list(generations)
    assert [len(each) for each in told] == [EACH] * WRITERS
    numbers = {number: made for each in told for number, made in each.items()}
    assert numbers == {number: entry.id for number, entry in newest.versions.items()}

    assert read_upward(model) == newest
    assert model.refs_json.samefile(model.generation(newest.generation))
    assert list((layout.root / "staging").iterdir()) == []
