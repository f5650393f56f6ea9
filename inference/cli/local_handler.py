"""The function's own handler in a command's process, configured by the command's options."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse
    import logging

    from inference.local.gateway import Handler


def configure(options: argparse.Namespace, *, log_level: str) -> None:
    """Set the environment variables of the function, before any module reads them.

    Logs and the output of pipelines go to stderr: stdout is for the command's result alone.
    """
    os.environ["STORE_PATH"] = str(options.store)
    if options.default_model:
        os.environ["DEFAULT_MODEL"] = options.default_model
    os.environ.setdefault("POWERTOOLS_METRICS_DISABLED", "true")
    os.environ.setdefault("POWERTOOLS_LOG_LEVEL", "DEBUG" if options.debug else log_level)
    sys.stdout = sys.stderr


def local_handler(options: argparse.Namespace, *, log_level: str) -> Handler:
    """Import the Lambda entry point and return its handler; log tracebacks only with `--debug`."""
    configure(options, log_level=log_level)
    from inference.predict_function import handler  # noqa: PLC0415 - it reads the environment
    from inference.telemetry import logger  # noqa: PLC0415

    if not options.debug:
        logger.addFilter(_without_traceback)
    return handler


def logged_causes(*, shown: bool) -> list[str]:
    """Return a list to which each logged failure appends its cause, which no answer contains.

    `shown`: print log records, too. Call this after `local_handler`.
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
