"""Environment variables of a function's environment. Pure.

https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
The emulator adds AWS_LAMBDA_RUNTIME_API, AWS_LAMBDA_METADATA_* and empty credentials.
"""

from __future__ import annotations

import os
import sys
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_ALWAYS: Final = ("PATH", "HOME", "TMPDIR")
_NEVER: Final = ("AWS_", "LAMBDA_", "PYTHON", "_")


def inherited(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of this process that every environment gets; none is a setting."""
    return {name: environ[name] for name in _ALWAYS if name in environ}


def settings_among(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that may configure a function: all but AWS's, Lambda's and Python's."""
    return {name: value for name, value in environ.items() if not name.startswith(_NEVER)}


def set_by_lambda(handler: str, cwd: Path, memory_mb: int, timeout_s: int) -> dict[str, str]:
    """Return the variables that Lambda sets for a Python function."""
    name = "function"
    return {
        "_HANDLER": handler,
        "AWS_DEFAULT_REGION": "us-east-1",  # the one in the emulator's ARN
        "AWS_REGION": "us-east-1",
        # By this name the runtime encodes answers and polls for calls differently since 3.12.
        "AWS_EXECUTION_ENV": f"AWS_Lambda_python{sys.version_info.major}.{sys.version_info.minor}",
        "AWS_LAMBDA_FUNCTION_NAME": name,
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(memory_mb),
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{name}",
        "AWS_LAMBDA_LOG_STREAM_NAME": f"{datetime.now(UTC):%Y/%m/%d}/[$LATEST]{uuid.uuid4().hex}",
        "LAMBDA_TASK_ROOT": str(cwd),
        "LANG": "en_US.UTF-8",
        "TZ": ":UTC",
        # Lambda sets none of the following. The emulator's own setting, which it passes on:
        "AWS_LAMBDA_FUNCTION_TIMEOUT": str(timeout_s),
        # HOME is this machine's, and the function must not find its AWS credentials there.
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }
