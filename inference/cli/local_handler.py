"""The function's own handler, in a command's process, configured by the command's options."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse
    import logging

    from inference.local.gateway import Handler


def configure(options: argparse.Namespace, *, log_level: str) -> None:
    """Set this process's environment as the function's would be, before anything reads it.

    Logs, and whatever a pipeline prints, go to stderr: stdout is the command's own.
    """
    os.environ["STORE_PATH"] = str(options.store)
    if options.default_model:
        os.environ["DEFAULT_MODEL"] = options.default_model
    os.environ.setdefault("POWERTOOLS_METRICS_DISABLED", "true")
    os.environ.setdefault("POWERTOOLS_LOG_LEVEL", "DEBUG" if options.debug else log_level)
    sys.stdout = sys.stderr


def local_handler(options: argparse.Namespace, *, log_level: str) -> Handler:
    """Import the Lambda entry point; its logs are without tracebacks unless `--debug`."""
    configure(options, log_level=log_level)
    from inference.predict_function import handler  # noqa: PLC0415 - it reads the environment
    from inference.telemetry import logger  # noqa: PLC0415

    if not options.debug:
        logger.addFilter(_without_traceback)
    return handler


def logged_causes(*, shown: bool) -> list[str]:
    """Give the list to which each logged failure adds its cause, which answers do not say.

    What is logged is shown too if `shown` says so. Call it after `local_handler`.
    """
    from inference.telemetry import logger  # noqa: PLC0415 - it reads the environment

    causes: list[str] = []

    def keep(record: logging.LogRecord) -> bool:
        cause = getattr(record, "cause", None)
        if cause:
            causes.append(cause)
        return shown

    logger.addFilter(keep)
    return causes


def _without_traceback(record: logging.LogRecord) -> bool:
    record.exc_info = None
    return True
