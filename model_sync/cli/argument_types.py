"""What the command line's arguments may be, for argparse: each raises its ArgumentTypeError."""

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
    """What is set; None: nothing is."""

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
    """A text that histories can hold, and requests carry."""
    if len(argument) > MOST_CHARACTERS:
        raise argparse.ArgumentTypeError(f"it is longer than {MOST_CHARACTERS} characters")
    try:
        argument.encode()
    except UnicodeEncodeError:
        raise argparse.ArgumentTypeError(f"{argument!r} is not UTF-8 text") from None
    return argument


def version(argument: str) -> int:
    """A version's number."""
    try:
        return parse_version(argument)
    except RequestError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def folder(argument: str) -> Path:
    """A folder's path. An empty one, as of a variable that is not set, is no name for this one."""
    if not argument:
        raise argparse.ArgumentTypeError("it is empty: name a folder")
    return Path(argument)


def python(argument: str) -> str:
    """A minor version of Python."""
    if not _is_python_version(argument):
        raise argparse.ArgumentTypeError(f"{argument!r} is no version: expected one like 3.13")
    return argument


def file(argument: str) -> Path:
    """A file's path, or a folder's that stands for it."""
    if not argument:
        raise argparse.ArgumentTypeError("it is empty: name a file")
    return Path(argument)


def share(argument: str) -> tuple[str, int]:
    """A label's share of the calls: `canary=5`."""
    label, _, percent = argument.partition("=")
    if not label or not (percent.isascii() and percent.isdecimal()) or len(percent) > 3:
        raise argparse.ArgumentTypeError(f"{argument!r} is no share: expected LABEL=PERCENT")
    return label, int(percent)


def _is_python_version(text: str) -> bool:
    """Tell whether a text is a minor version of Python, as targets hold it."""
    return bool(_PYTHON_VERSION.fullmatch(text))
