"""Signatures (SigV4) for calls to an HTTP API that requires AWS credentials."""

from __future__ import annotations

from typing import TYPE_CHECKING

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

if TYPE_CHECKING:
    from collections.abc import Mapping


def signed(
    url: str,
    environ: Mapping[str, str],
    *,
    method: str = "GET",
    body: bytes = b"",
    headers: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """Return a call's headers. `environ`: AWS's variables for key, secret and region."""
    request = AWSRequest(method, url, data=body, headers=dict(headers or {}))
    credentials = Credentials(environ["AWS_ACCESS_KEY_ID"], environ["AWS_SECRET_ACCESS_KEY"])
    SigV4Auth(credentials, "execute-api", environ["AWS_REGION"]).add_auth(request)
    return dict(request.headers.items())
