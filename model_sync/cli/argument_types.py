"""Types of the command line's arguments, for argparse, and environment settings for defaults.

Each type raises argparse.ArgumentTypeError. Two settings are defaults of options: `TARGET_PYTHON`
of `--python`, and `TARGET_INTERPRETER` of `--interpreter`.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple, Self

from model_sync.errors import PackagesError, RequestError
from model_sync.request_fields import MOST_CHARACTERS, parse_version

if TYPE_CHECKING:
    from collections.abc import Mapping

_PYTHON_VERSION: Final = re.compile(r"3\.[0-9]{1,3}")


class TargetSettings(NamedTuple):
    """Defaults for the target of package sets; None: not set."""

    python: str | None = None
    interpreter: Path | None = None

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> Self:
        """Read the settings; raises PackagesError naming the variable that is wrong."""
        python = environ.get("TARGET_PYTHON") or None
        if python is not None and not _is_python_version(python):
            raise PackagesError(f"TARGET_PYTHON is {python!r}: expected a version like 3.13")
        interpreter = environ.get("TARGET_INTERPRETER")
        return cls(python, Path(interpreter) if interpreter else None)


def text(argument: str) -> str:
    """Return a text that histories and requests can hold."""
    if len(argument) > MOST_CHARACTERS:
        raise argparse.ArgumentTypeError(f"it is longer than {MOST_CHARACTERS} characters")
    try:
        argument.encode()
    except UnicodeEncodeError:
        raise argparse.ArgumentTypeError(f"{argument!r} is not UTF-8 text") from None
    return argument


def version(argument: str) -> int:
    """Return a version's number."""
    try:
        return parse_version(argument)
    except RequestError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def folder(argument: str) -> Path:
    """Return a folder's path. Refuse an empty one: it may come from a variable that is not set."""
    if not argument:
        raise argparse.ArgumentTypeError("it is empty: name a folder")
    return Path(argument)


def python(argument: str) -> str:
    """Return a minor version of Python, like 3.13."""
    if not _is_python_version(argument):
        raise argparse.ArgumentTypeError(f"{argument!r} is no version: expected one like 3.13")
    return argument


def file(argument: str) -> Path:
    """Return the path of a file, or of a folder that holds it."""
    if not argument:
        raise argparse.ArgumentTypeError("it is empty: name a file")
    return Path(argument)


def share(argument: str) -> tuple[str, int]:
    """Return a label and its share of the calls, from `canary=5`."""
    label, _, percent = argument.partition("=")
    if not label or not (percent.isascii() and percent.isdecimal()) or len(percent) > 3:
        raise argparse.ArgumentTypeError(f"{argument!r} is no share: expected LABEL=PERCENT")
    return label, int(percent)


def _is_python_version(text: str) -> bool:
    """Return True if a text is a minor version of Python, as targets hold it."""
    return bool(_PYTHON_VERSION.fullmatch(text))
