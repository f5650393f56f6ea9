"""boto3's S3 client, with bounds: an S3 that is out of reach is an error within seconds.

boto3's own bounds are a minute a try. Where S3 is, and who asks, is said in the ways that boto3
documents (`AWS_ENDPOINT_URL_S3`, `AWS_PROFILE`, ...).
"""

from __future__ import annotations

from typing import Any, Final

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError

from model_sync.errors import SourceError

_CONFIG: Final = Config(
    connect_timeout=3, read_timeout=30, retries={"mode": "standard", "total_max_attempts": 4}
)


def s3_client() -> Any:
    """Make a client; nothing is asked of S3 yet. Raises SourceError for settings that are wrong."""
    try:
        return boto3.client("s3", config=_CONFIG)
    except (BotoCoreError, ValueError) as error:  # ValueError: an endpoint that is no address
        raise SourceError(f"no S3 client can be made: {error}") from error
