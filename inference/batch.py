"""The batch function's entry point: `inference.batch.handler`.

Importing this module reads the settings (a wrong one fails the function's INIT, naming the
variable) and makes the S3 client: boto3 is imported here and nowhere that predicting comes by. No
store and no bucket is touched before the first message.
"""

from __future__ import annotations

import os
from typing import Final

import boto3
from botocore.config import Config

from inference.batch_handler import BatchHandler
from inference.batch_settings import BatchSettings

_CONFIG: Final = Config(
    connect_timeout=5, read_timeout=30, retries={"mode": "standard", "total_max_attempts": 5}
)

handler: Final = BatchHandler(
    BatchSettings.from_environ(os.environ), boto3.client("s3", config=_CONFIG)
)
