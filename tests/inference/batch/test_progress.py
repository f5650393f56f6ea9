from __future__ import annotations

import io
from pathlib import Path

from inference.cli.batch import Tally
from tests.inference.batch.models import PLUS, load


def tally(published: Path, every_s: float) -> tuple[Tally, io.StringIO]:
    out = io.StringIO()
    return Tally(out, load(published, PLUS), Path("out"), objects=3, every_s=every_s), out


def test_a_line_says_how_many_files_and_records_are_done(batch_models: Path) -> None:
    counts, out = tally(batch_models, every_s=0.0)
    counts.done_objects, counts.answered_records, counts.failed_records = 1, 5, 2
    counts.report(10)
    assert out.getvalue() == "1 of 3 files, 17 records\n"


def test_between_two_lines_nothing_is_said_but_failures(batch_models: Path) -> None:
    counts, out = tally(batch_models, every_s=3600.0)
    for records in range(100):
        counts.report(records)
    counts.fail("a", "a cannot be read")
    assert out.getvalue() == "error: a cannot be read\n"
    assert counts.to_json()["failures"] == [{"key": "a", "error": "a cannot be read"}]
