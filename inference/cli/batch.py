"""Command `python -m inference batch MODEL INPUT OUTPUT`: answer a folder into another folder.

It runs the batch function's code over folders instead of buckets. The version that is newest at the
start answers every file. The result goes to stdout, the progress to stderr.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TextIO

if TYPE_CHECKING:
    from inference.loading.loaded_version import LoadedVersion

DONE, FAILED = 0, 1
PROGRESS_EVERY_S: Final = 10.0

_DESCRIPTION: Final = """\
Answer every file below INPUT by a model's newest version. In a file whose name ends with .jsonl,
each line is a record. Any other file is one record, with the content type of its extension. Names
that begin with a dot are left out, and links to folders are not followed.

OUTPUT/MODEL/VERSION/ gets, for each file NAME:
  NAME.out             the answer, or a line for each record that has one:
                       {"record": <its line's number>, "answer": ...}
  NAME.errors.jsonl    {"record": ..., "reason": ...} for each failed record; absent if none failed
  NAME.summary.json    version and counts; written last, so a file that has one is complete
A second run writes the same, except for the durations in the summaries.
"""
_EPILOG: Final = (
    "Exit codes: 0 every record answered; 1 a record or a file failed (others are answered) or\n"
    "the run could not begin; 2 usage; 3 the store cannot be reached; 130 interrupted."
)


def add_command(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
    common: argparse.ArgumentParser,
) -> None:
    """Add the command to the menu of `python -m inference`."""
    parser = commands.add_parser(
        "batch",
        parents=[common],
        help="answer a folder of inputs into another folder",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("model", metavar="MODEL", help="the model's name")
    parser.add_argument("input", type=Path, metavar="INPUT", help="the folder of inputs")
    parser.add_argument("output", type=Path, metavar="OUTPUT", help="the folder for outputs")
    parser.add_argument("--json", action="store_true", help="print one JSON object on stdout")
    parser.set_defaults(command=run)


def run(options: argparse.Namespace) -> int:
    """Run the command and return its exit code. An interrupt leaves no partial output.

    Raises ServingError, ValueError or OSError if the run cannot begin.
    """
    os.environ.setdefault("POWERTOOLS_METRICS_DISABLED", "true")
    os.environ.setdefault("POWERTOOLS_LOG_LEVEL", "DEBUG" if options.debug else "CRITICAL")
    # stdout is for the result alone: logs and the output of pipelines go to stderr.
    stdout = sys.stdout
    with contextlib.redirect_stdout(sys.stderr):
        tally = _answer_folder(options)
    stdout.write((json.dumps(tally.to_json()) if options.json else tally.sentence()) + "\n")
    return FAILED if tally.failed_records or tally.failed_objects else DONE


@dataclass(slots=True)
class Tally:
    """Counts of a run, reported to `out` every `every_s` seconds."""

    out: TextIO
    loaded: LoadedVersion
    place: Path
    objects: int
    every_s: float = PROGRESS_EVERY_S
    done_objects: int = 0
    answered_records: int = 0
    failed_records: int = 0
    failed_objects: dict[str, str] = field(default_factory=dict)
    _reported_at: float = field(default_factory=time.monotonic)

    def report(self, object_records: int = 0) -> None:
        """Write a progress line if it is time; `object_records`: done in the present file."""
        now = time.monotonic()
        if now - self._reported_at >= self.every_s:
            self._reported_at = now
            records = self.answered_records + self.failed_records + object_records
            finished = self.done_objects + len(self.failed_objects)
            self._line(f"{finished} of {self.objects} files, {records} records")

    def fail(self, name: str, reason: str) -> None:
        """Note a file that has no output, and write the reason."""
        self.failed_objects[name] = reason
        self._line(f"error: {reason}")

    def sentence(self) -> str:
        """Return the result as a sentence, for a person."""
        text = (
            f"{self.loaded.model} version {self.loaded.number}: {self.answered_records} of "
            f"{self.answered_records + self.failed_records} records answered, from "
            f"{self.done_objects} of {self.objects} files, in {self.place}"
        )
        return text + ("; the others are in *.errors.jsonl" if self.failed_records else "")

    def to_json(self) -> dict[str, Any]:
        """Return the result as JSON, for a program."""
        return {
            "model": self.loaded.model,
            "version": self.loaded.number,
            "digest": self.loaded.digest,
            "output": str(self.place),
            "objects": {"done": self.done_objects, "failed": len(self.failed_objects)},
            "records": {"answered": self.answered_records, "failed": self.failed_records},
            "failures": [{"key": k, "error": why} for k, why in self.failed_objects.items()],
        }

    def _line(self, text: str) -> None:
        self.out.write(text + "\n")
        self.out.flush()


def _answer_folder(options: argparse.Namespace) -> Tally:
    # Logging reads the environment when it is imported.
    from inference.batch.errors import BatchError  # noqa: PLC0415
    from inference.batch.folder_storage import FolderInput, FolderOutputs, find_inputs  # noqa: PLC0415
    from inference.batch.run import run_object  # noqa: PLC0415
    from inference.batch.versions import final_loader, load_latest  # noqa: PLC0415
    from inference.serving.manager import Manager  # noqa: PLC0415
    from inference.settings import Settings  # noqa: PLC0415
    from model_store.layout import StoreLayout  # noqa: PLC0415

    _check_folders(options.input, options.output)
    names = find_inputs(options.input)
    settings = Settings(options.store)
    manager = Manager(StoreLayout(options.store), ref_ttl_s=0.0, load=final_loader(settings))
    loaded = load_latest(manager, options.model)
    outputs = FolderOutputs(options.output)
    place = options.output / loaded.model / str(loaded.number)
    tally = Tally(sys.stderr, loaded, place, len(names))
    tally.out.write(f"{len(names)} files for {loaded.model} version {loaded.number}\n")
    for name in names:
        try:
            source = FolderInput(options.input, name)
            result = run_object(loaded, source, outputs, before_record=tally.report)
        except BatchError as error:
            tally.fail(name, str(error))
        else:
            tally.done_objects += 1
            tally.answered_records += result.answered
            tally.failed_records += result.failed
        tally.report()
    return tally


def _check_folders(source: Path, target: Path) -> None:
    if not source.is_dir():
        raise ValueError(f"{source} is not a folder: name the folder of inputs")
    if target.exists() and not target.is_dir():
        raise ValueError(f"{target} is not a folder: name the folder for outputs")
    if target.resolve().is_relative_to(source.resolve()):
        raise ValueError(
            f"{target} is inside {source}: its outputs would be the next run's inputs; "
            "name another folder"
        )
