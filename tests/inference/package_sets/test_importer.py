"""Imports by a set's index equal Python's imports from a plain folder, in all respects."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import pytest

from model_store.package_set import SITE_PACKAGES, Target
from model_sync.package_sets.publish import publish_wheels
from model_sync.progress import Silent
from model_sync.store_io.create_store import open_store
from tests.inference.package_sets.hard_cases import (
    AFTER,
    BEFORE,
    MODULES,
    write_files,
    write_hard_cases,
)
from tests.support.commands import environ
from tests.support.import_questions import QUESTIONS
from tests.support.places import ROOT
from tests.support.waiting import DEADLINE_S

if TYPE_CHECKING:
    from pathlib import Path

    from model_store.layout import StoreLayout

FACTS: Final = ROOT / "tests" / "package_sets" / "import_facts.py"
FAILING: Final = {
    *("CASED", "broken_syntax", "broken_package", "broken_package.inner", "raises", "nosuch"),
    *("raises_midway", "raises_midway.failing", "exits", "needs_more", "needs_inner", "needs_name"),
    *("bad_circle", "bad_circle.b", "plain.nosuch", "plain.sub.nosuch", "extensions.broken"),
    *("of_another_python", "shared_name.inner", "space.nosuch", "dotted.a", "dotted.folder"),
}
"""Those of the modules that Python itself cannot import."""


class Place(NamedTuple):
    """A published set, and two plain folders."""

    layout: StoreLayout
    digest: str
    before: Path
    after: Path


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    folder = tmp_path_factory.mktemp("imports")
    layout = open_store(folder / "store")
    wheel = write_hard_cases(folder / "wheels")
    manifest, _ = publish_wheels((wheel,), layout, Target.running(), Silent())
    before = write_files(folder / "before", BEFORE)
    after = write_files(folder / "after", AFTER)
    return Place(layout, str(manifest.digest), before, after)


def seen(how: str, place: Place, store: str | Path = "") -> Any:
    """Return the facts that a process sees that imports in one way."""
    words = [how, store or place.layout.root, place.digest, place.before, place.after, "--ask"]
    done = subprocess.run(
        [sys.executable, str(FACTS), *map(str, words)],
        cwd=place.layout.root.parent,
        env=environ({"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}),
        input="\n".join(MODULES),
        stdout=subprocess.PIPE,
        text=True,
        timeout=DEADLINE_S,
        check=True,
    )
    found = json.loads(done.stdout)
    assert found["is_hooked"] == (how == "hooked")
    return found


@pytest.fixture(scope="module")
def plain(place: Place) -> Any:
    return seen("plain", place)


@pytest.fixture(scope="module")
def hooked(place: Place) -> Any:
    return seen("hooked", place)


@pytest.mark.parametrize("name", MODULES)
def test_a_module_is_what_plain_import_makes_of_it(plain: Any, hooked: Any, name: str) -> None:
    assert hooked["modules"][name] == plain["modules"][name]
    assert ("raised" in plain["modules"][name]) == (name in FAILING)


@pytest.mark.parametrize("question", [each.__name__ for each in QUESTIONS])
def test_a_question_has_the_answer_of_plain_import(plain: Any, hooked: Any, question: str) -> None:
    answer = plain["answers"][question]
    assert hooked["answers"][question] == answer
    raises = question in {"a_distribution_that_is_not_there", "a_spec_of_no_package"}
    assert (isinstance(answer, dict) and "raised" in answer) == raises, answer


def test_a_store_by_another_path_is_imported_from_as_by_that_path(place: Place) -> None:
    link = place.layout.root.parent / "link"
    link.symlink_to(place.layout.root)
    found = [seen(how, place, f"{link}/../link/") for how in ("hooked", "plain")]
    assert found[0]["modules"] == found[1]["modules"]
    assert found[0]["answers"] == found[1]["answers"]


def test_nothing_was_written_into_the_set(place: Place, plain: Any, hooked: Any) -> None:
    site = next(place.layout.packages.glob(f"*/{SITE_PACKAGES}"))
    assert (site / "plain").is_dir()
    assert not list(site.rglob("__pycache__"))
