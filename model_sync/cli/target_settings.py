"""For which Python package sets are made by default: settings of the environment, read at start.

`TARGET_PYTHON`: as `--python`. `TARGET_INTERPRETER`: as `--interpreter`. An option wins.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple, Self

from model_sync.errors import PackagesError

if TYPE_CHECKING:
    from collections.abc import Mapping

_VERSION: Final = re.compile(r"3\.[0-9]{1,3}")


class TargetSettings(NamedTuple):
    """What is set; None: nothing is."""

    python: str | None = None
    interpreter: Path | None = None

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> Self:
        """Read the settings; raises PackagesError naming the variable that is wrong."""
        python = environ.get("TARGET_PYTHON") or None
        if python is not None and not is_python_version(python):
            raise PackagesError(f"TARGET_PYTHON is {python!r}: expected a version like 3.13")
        interpreter = environ.get("TARGET_INTERPRETER")
        return cls(python, Path(interpreter) if interpreter else None)


def is_python_version(text: str) -> bool:
    """Tell whether a text is a minor version of Python, as targets hold it."""
    return bool(_VERSION.fullmatch(text))
