"""Serve a store with a fleet of environments: the implementation of `serve --runtime lambda`."""

from __future__ import annotations

import importlib.util
import itertools
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import inference
from inference.local.fleet.cgroups import NoLimitsError, find_limits
from inference.local.fleet.emulator_binary import emulator_path
from inference.local.fleet.environment import LambdaEnvironment
from inference.local.fleet.environment_variables import settings_among
from inference.local.fleet.errors import EmulatorUnavailableError
from inference.local.fleet.http_answers import FleetAnswers
from inference.local.fleet.pool import Fleet
from inference.local.fleet.slot import NumberedEnvironment
from inference.local.server import serve

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

TASK_ROOT: Final = Path(inference.__file__).resolve().parent.parent
"""Folder of the package `inference`: the environments' working directory and task root."""

WAITING_PER_ENVIRONMENT: Final = 16
"""Number of calls that may wait, per environment of the fleet's limit."""

TIMEOUT_S: Final = 30
"""The function's own timeout."""


class FleetOptions(NamedTuple):
    """Size of a fleet: most environments, memory of each, seconds until an idle one is stopped."""

    environments: int
    memory_mb: int
    idle_s: float


def serve_fleet(
    handler: str, environ: Mapping[str, str], options: FleetOptions, *, port: int
) -> None:
    """Serve a handler on 127.0.0.1 until SIGINT or SIGTERM, then end every environment.

    `environ` is the function's configuration. Environments start when calls need them.
    Raises EmulatorUnavailableError, or OSError if the port is in use.
    """
    _check_installed()
    with Fleet(
        maker(handler, settings_among(environ), options.memory_mb, _report),
        most=options.environments,
        most_waiting=options.environments * WAITING_PER_ENVIRONMENT,
        idle_s=options.idle_s,
        report=_report,
    ) as fleet:
        serve(FleetAnswers(fleet), port=port)


def maker(
    handler: str, environ: Mapping[str, str], memory_mb: int, report: Callable[[str], None]
) -> Callable[[], NumberedEnvironment]:
    """Return a factory of numbered environments; report a line if they cannot be limited."""
    try:
        limits = find_limits(memory_mb)
    except NoLimitsError as error:
        limits = None
        report(f"memory and processors of environments are not limited here: {error}")
    numbers = itertools.count(1)

    def make() -> NumberedEnvironment:
        number = next(numbers)
        return NumberedEnvironment(
            number,
            LambdaEnvironment(
                handler,
                environ=environ,
                cwd=TASK_ROOT,
                memory_mb=memory_mb,
                timeout_s=TIMEOUT_S,
                early_answers=True,
                enclosure=limits and limits.enclosure(f"coldpress-{os.getpid()}-{number}"),
            ),
        )

    return make


def _check_installed() -> None:
    if importlib.util.find_spec("awslambdaric") is None:
        raise EmulatorUnavailableError(
            "Lambda's runtime client is not installed: "
            f"{Path(sys.executable).name} -m pip install -r requirements/cloud.txt"
        )
    emulator_path()


def _report(line: str) -> None:
    sys.stderr.write(line + "\n")
