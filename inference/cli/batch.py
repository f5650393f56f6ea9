"""`python -m inference batch MODEL INPUT OUTPUT`: a folder in, a folder out.

It is the batch function's code, over folders instead of buckets. The version that is newest at the
start answers every file. stdout gets what it came to, stderr how far it is.
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
Answer every file below INPUT by a model's newest version. A file whose name ends with .jsonl holds
a record a line; any other is one record, its content type told by its extension. Names that begin
with a dot are left out, and links to folders are not followed.

OUTPUT/MODEL/VERSION/ gets, for each file NAME:
  NAME.out             the answer, or a line for each record that has one:
                       {"record": <its line's number>, "answer": ...}
  NAME.errors.jsonl    {"record": ..., "reason": ...} for each record at fault; absent if none is
  NAME.summary.json    version and counts; written last, so what has one is complete
Run again, it writes the same, but for the summaries' durations.
"""
_EPILOG: Final = (
    "Exit codes: 0 every record answered; 1 a record or a file failed (the rest is answered all "
    "the same), or nothing could be done; 2 usage; 3 the store cannot be reached; 130 interrupted."
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
    """Run the command and return its exit code. Interrupted, it leaves no part of an output.

    Raises ServingError, ValueError or OSError where nothing could be done.
    """
    os.environ.setdefault("POWERTOOLS_METRICS_DISABLED", "true")
    os.environ.setdefault("POWERTOOLS_LOG_LEVEL", "DEBUG" if options.debug else "CRITICAL")
    # stdout is the command's own: logs, and whatever a pipeline prints, go to stderr.
    stdout = sys.stdout
    with contextlib.redirect_stdout(sys.stderr):
        tally = _answer_folder(options)
    stdout.write((json.dumps(tally.to_json()) if options.json else tally.sentence()) + "\n")
    return FAILED if tally.failed_records or tally.failed_objects else DONE


@dataclass(slots=True)
class Tally:
    """What the run has come to so far, told to `out` now and then."""

    out: TextIO
    loaded: LoadedVersion
    place: Path
    objects: int
    every_s: float = PROGRESS_EVERY_S
    done_objects: int = 0
    answered_records: int = 0
    failed_records: int = 0
    failed_objects: dict[str, str] = field(default_factory=dict)
    _told_at: float = field(default_factory=time.monotonic)

    def tell(self, of_this_object: int = 0) -> None:
        """Write a line if the last was long ago; `of_this_object`: its records that are done."""
        now = time.monotonic()
        if now - self._told_at >= self.every_s:
            self._told_at = now
            records = self.answered_records + self.failed_records + of_this_object
            finished = self.done_objects + len(self.failed_objects)
            self._line(f"{finished} of {self.objects} files, {records} records")

    def fail(self, name: str, reason: str) -> None:
        """Note a file that came to no output."""
        self.failed_objects[name] = reason
        self._line(f"error: {reason}")

    def sentence(self) -> str:
        """For a person."""
        text = (
            f"{self.loaded.model} version {self.loaded.number}: {self.answered_records} of "
            f"{self.answered_records + self.failed_records} records answered, from "
            f"{self.done_objects} of {self.objects} files, in {self.place}"
        )
        return text + ("; the others are in *.errors.jsonl" if self.failed_records else "")

    def to_json(self) -> dict[str, Any]:
        """For a program."""
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
    from inference.batch.versions import final_loader, newest  # noqa: PLC0415
    from inference.serving.manager import Manager  # noqa: PLC0415
    from inference.settings import Settings  # noqa: PLC0415
    from model_store.layout import StoreLayout  # noqa: PLC0415

    _check_folders(options.input, options.output)
    names = find_inputs(options.input)
    settings = Settings(options.store)
    manager = Manager(StoreLayout(options.store), ref_ttl_s=0.0, load=final_loader(settings))
    loaded = newest(manager, options.model)
    outputs = FolderOutputs(options.output)
    place = options.output / loaded.model / str(loaded.number)
    tally = Tally(sys.stderr, loaded, place, len(names))
    tally.out.write(f"{len(names)} files for {loaded.model} version {loaded.number}\n")
    for name in names:
        try:
            source = FolderInput(options.input, name)
            done = run_object(loaded, source, outputs, before_record=tally.tell)
        except BatchError as error:
            tally.fail(name, str(error))
        else:
            tally.done_objects += 1
            tally.answered_records += done.answered
            tally.failed_records += done.failed
        tally.tell()
    return tally


def _check_folders(source: Path, target: Path) -> None:
    if not source.is_dir():
        raise ValueError(f"{source} is no folder: name the folder of inputs")
    if target.exists() and not target.is_dir():
        raise ValueError(f"{target} is no folder: name the folder for outputs")
    if target.resolve().is_relative_to(source.resolve()):
        raise ValueError(
            f"{target} is inside {source}: its outputs would be the next run's inputs; "
            "name another folder"
        )
