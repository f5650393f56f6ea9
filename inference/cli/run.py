"""Command `python -m inference run`: a script, with the packages that a model's function has.

Imports find the runtime's packages first, then those of the model's package set, by the set's index
(package_sets/active_sets.py). The model itself is not loaded. Not here: running a program as Python
does (program.py).
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from typing import TYPE_CHECKING, Final, NoReturn

from inference.cli.program import Program
from inference.cli.program import run as run_as_main
from inference.errors import RetiredError, UnknownError
from model_store.layout import StoreLayout
from model_store.names import check_label, check_model
from model_store.reading import find_package_set, read_upward, read_version
from model_store.refs import LATEST, Refs, State

if TYPE_CHECKING:
    from model_store.digests import Digest

_USAGE: Final = """\
python -m inference run [--store DIR] [--debug] (MODEL | --set DIGEST)
                               (SCRIPT | -c CODE | -m MODULE) [ARGUMENT ...]"""
_DESCRIPTION: Final = """\
Run a script that can import a model's package set as the function does; the runtime's packages are
found first. MODEL is NAME, NAME@7 or NAME:label; a bare NAME means the version that 'latest' names.
If that version pins no package set, the script has the runtime's packages alone. The model is not
loaded.

  SCRIPT      a file, a folder or zip file with a __main__.py, or - for standard input
  -c CODE     code
  -m MODULE   a module, also one of the package set: -m pytest
All later arguments are the script's own. Options of this command come before MODEL.
"""
_EPILOG: Final = (
    "Exit codes: the script's own; before it starts 1 failed, 2 usage, 3 the store cannot be "
    "reached."
)
_REFERENCE: Final = re.compile(r"(?P<name>[^@:]*)(?:@(?P<number>[1-9][0-9]{0,17})|:(?P<label>.*))?")


def add_command(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
    common: argparse.ArgumentParser,
) -> None:
    """Add the command to the menu of `python -m inference`."""
    parser = commands.add_parser(
        "run",
        parents=[common],
        help="run a script with a model's packages",
        usage=_USAGE,
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "--set",
        metavar="DIGEST",
        help="a package set instead of a model: its digest, or an unambiguous prefix of it",
    )
    # Arguments after MODEL are the program's, so these two are options only without a MODEL.
    for flag in ("-c", "-m"):
        parser.add_argument(flag, nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    parser.add_argument("words", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    parser.set_defaults(command=run, usage_error=parser.error)


def run(options: argparse.Namespace) -> int:
    """Run the program and return its exit code.

    Raises StoreError, ServingError or OSError if the program cannot start, and its SystemExit.
    """
    model, program = _parse(options)
    layout = StoreLayout(options.store)
    if model is None:
        digest: Digest | None = find_package_set(layout, options.set)
        needed_by = "this command"
    else:
        digest, needed_by = _pinned(layout, model)
    if digest is not None:
        _use(layout, digest, needed_by)
    return run_as_main(program)


def _parse(options: argparse.Namespace) -> tuple[str | None, Program]:
    """Return the model, None with `--set`, and the program; exit with code 2 if one is missing."""
    words = [*options.words]
    for flag, given in (("-c", options.c), ("-m", options.m)):
        if given is not None:
            words = [flag, *given]
    model = None
    if options.set is None:
        if not words or words[0].startswith("-"):
            _refuse(options, "name the model first, or --set, then what to run")
        model = words.pop(0)
    program = Program.parse(words)
    if program is None:
        _refuse(options, "name what to run: SCRIPT, -c CODE or -m MODULE; options go before MODEL")
    return model, program


def _refuse(options: argparse.Namespace, why: str) -> NoReturn:
    options.usage_error(why)
    raise SystemExit(2)  # usage_error has raised it already


def _use(layout: StoreLayout, digest: Digest, needed_by: str) -> None:
    from inference.package_sets.active_sets import site_of, use_package_set  # noqa: PLC0415 - others need none of it

    # Child processes of the script import the set from its folder. multiprocessing hands them this
    # process's sys.path; joblib's workers and `sys.executable -c` need PYTHONPATH.
    inherited = os.environ.get("PYTHONPATH")
    site = site_of(layout, digest)
    os.environ["PYTHONPATH"] = f"{inherited}{os.pathsep}{site}" if inherited else site
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    with use_package_set(layout, digest, needed_by) as why_plain:
        reason = why_plain()
    if reason:
        sys.stderr.write(f"note: the set is imported without its index, slower: {reason}\n")


def _pinned(layout: StoreLayout, reference: str) -> tuple[Digest | None, str]:
    """Return the package set that a version pins, if any, and the version's name in messages."""
    match = _REFERENCE.fullmatch(reference)
    if not match:
        raise UnknownError(f"{reference!r} names no model: expected NAME, NAME@7 or NAME:label")
    refs = read_upward(layout.model(check_model(match["name"])))
    if refs is None:
        raise UnknownError(f"no model is named {match['name']!r} in the store at {layout.root}")
    number = _number(refs, match["number"], match["label"])
    entry = refs.versions[number]
    if entry.state is State.DELETED:
        raise RetiredError(f"version {number} of {refs.model!r} is deleted")
    packages = read_version(layout, refs.model, entry).content.packages
    return packages, f"version {number} of {refs.model!r}"


def _number(refs: Refs, number: str | None, label: str | None) -> int:
    if number is not None:
        if int(number) not in refs.versions:
            raise UnknownError(f"model {refs.model!r} has no version {number}")
        return int(number)
    label = LATEST if label is None else check_label(label)
    if label not in refs.labels:
        labels = ", ".join(sorted(refs.labels)) or "none"
        raise UnknownError(f"model {refs.model!r} has no label {label!r}; it has {labels}")
    return refs.labels[label]
