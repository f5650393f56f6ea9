"""The `bootstrap` file of an emulated function: Lambda's runtime client, on Lambda's path.

MiniStack starts the file `bootstrap` in a function's code. This file starts `awslambdaric`, the
client in Lambda's Python runtimes, with this path alone:

1. the function's code,
2. its layers,
3. the client and its dependencies, in a folder of their own,
4. the standard library.

So a package that a layer lacks is missing here too. The interpreter is that of this process, not of
its virtual environment: a function's child processes must not find that environment either.
"""

from __future__ import annotations

import re
import shlex
import sys
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import Final

from infra.errors import EmulatorError

CLIENT: Final = "awslambdaric"

_NAME: Final = re.compile(r"[A-Za-z0-9._-]+")


def bootstrap(client: Path, interpreter: Path | None = None) -> str:
    """Return the file's text. `client`: the folder of `gather_client`."""
    python = interpreter or Path(sys.executable).resolve()
    return f"""#!/bin/sh
export PYTHONPATH="$LAMBDA_TASK_ROOT:$PYTHONPATH:"{shlex.quote(str(client))}
export PYTHONDONTWRITEBYTECODE=1 PYTHONNOUSERSITE=1
exec {shlex.quote(str(python))} -S -P -m {CLIENT} "$_HANDLER"
"""


def gather_client(folder: Path) -> None:
    """Fill a folder with links to the client and its dependencies; raises EmulatorError."""
    folder.mkdir(parents=True)
    wanted = [CLIENT]
    for name in wanted:  # grows during the loop
        try:
            found = distribution(name)
        except PackageNotFoundError:
            raise EmulatorError(f"{name} is missing: install requirements/cloud.txt") from None
        for top in _tops(found):
            (folder / top).symlink_to(Path(str(found.locate_file(top))))
        wanted += [each for each in _needs(found) if each not in wanted]


def _tops(found: Distribution) -> set[str]:
    """Return a distribution's names at the top of site-packages."""
    tops = {path.parts[0] for path in found.files or []}
    return tops - {"..", "__pycache__"}


def _needs(found: Distribution) -> list[str]:
    """Return the names of a distribution's dependencies, without those of its extras."""
    named = (_NAME.match(each) for each in found.requires or [] if "extra ==" not in each)
    return [each.group() for each in named if each]
