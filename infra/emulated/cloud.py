"""Address and clients of an emulated cloud."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import boto3
from botocore.config import Config

if TYPE_CHECKING:
    from pathlib import Path

REGION: Final = "us-east-1"
ACCOUNT: Final = "000000000000"
"""MiniStack's account for keys that are not an account's number."""

_KEY: Final = "test"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cloud:
    """A running emulator: its port on loopback, and its log."""

    port: int
    log: Path

    @property
    def endpoint(self) -> str:
        """Address of all its services."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def environ(self) -> dict[str, str]:
        """Environment variables that point AWS's SDKs at the emulator."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": _KEY,
            "AWS_SECRET_ACCESS_KEY": _KEY,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
        }

    def client(self, service: str) -> Any:
        """Return a boto3 client that ignores this process's credentials, settings and proxies."""
        return boto3.client(
            service,
            endpoint_url=self.endpoint,
            region_name=REGION,
            aws_access_key_id=_KEY,
            aws_secret_access_key=_KEY,
            aws_session_token="",
            config=Config(
                connect_timeout=5,
                # A function's first call is slow, and must not be sent twice.
                read_timeout=900,
                retries={"total_max_attempts": 1},
                proxies={},
            ),
        )
