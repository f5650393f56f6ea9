"""The batch function's entry point: `inference.batch_function.handler`.

Importing this module reads the settings (a wrong one fails the function's INIT with the variable's
name) and makes the S3 client: only this function imports boto3. The first message is the first
access to the store and to a bucket. On Lambda the environment restarts in place when modules that
it imported from package sets keep a version from loading (lambda_runtime/recycling.py); the queue
delivers the failed messages again.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

import boto3
from botocore.config import Config

from inference.batch.handler import BatchHandler
from inference.batch.settings import BatchSettings
from inference.lambda_runtime.extension import Calls

if TYPE_CHECKING:
    from inference.lambda_runtime.handover import Handler

_CONFIG: Final = Config(
    connect_timeout=5, read_timeout=30, retries={"mode": "standard", "total_max_attempts": 5}
)

_batch: Final = BatchHandler(
    BatchSettings.from_environ(os.environ), boto3.client("s3", config=_CONFIG)
)


def _with_recycling(handler: Handler) -> Handler:
    if not os.environ.get("AWS_LAMBDA_RUNTIME_API"):
        return handler
    from inference.lambda_runtime.recycling import Recycler  # noqa: PLC0415 - only Lambda needs it

    return Recycler(os.environ, Calls(), None).around(handler, _batch.due, _batch.answered)


handler: Final[Handler] = _with_recycling(_batch)
