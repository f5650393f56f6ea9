"""The tests of pandas itself pass from a published set, run by its own pytest."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest

from tests.package_sets.real_programs import real_programs

if TYPE_CHECKING:
    from pathlib import Path

    from tests.package_sets.real_set import LargeSet

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="the set is for Linux"),
]

# Quick ones; some start other processes, none asks a network for anything.
CHOSEN = ("api", "config", "libs", "util", "test_common", "test_errors", "test_optional_dependency")
# It reads a file that pandas' wheel does not hold, so it fails wherever a wheel is installed.
LEFT_OUT = "not test_datapath or test_datapath_missing"
FEWEST = 2000


def test_pandas_own_tests_pass(large_set: LargeSet, tmp_path: Path) -> None:
    words = ["-p", "no:cacheprovider", "--quiet", "--junitxml", "results.xml", "-k", LEFT_OUT]
    words += ["--pyargs", *(f"pandas.tests.{name}" for name in CHOSEN)]
    with real_programs(large_set, tmp_path) as programs:
        said = programs.run("-m", "pytest", *words)
        results = ET.parse(programs.folder / "results.xml")  # noqa: S314 - of pytest
    (suite,) = results.getroot()
    n_run, n_skipped, n_failed, n_errors = (
        int(suite.attrib[name]) for name in ("tests", "skipped", "failures", "errors")
    )
    assert (n_failed, n_errors) == (0, 0), said[-2000:]
    assert n_run - n_skipped >= FEWEST
