"""Progress that can be read from far away: an object in the models bucket."""

from __future__ import annotations

import json
import time
from typing import Any, Final

from model_sync.sources.s3 import s3_errors_as_source_errors

JOBS: Final = ".jobs/"
_TELL_EVERY_S: Final = 1.0


def progress_key(request_id: str) -> str:
    """Where a request's progress lies."""
    return f"{JOBS}{request_id}.json"


class ProgressObject:
    """A Progress that writes `{"step", "done_bytes", "total_bytes"}`, at most once a second.

    Raises SourceError where it cannot be written: then the answer could not be read either.
    """

    def __init__(self, client: Any, bucket: str, request_id: str) -> None:
        self._client = client
        self._place = {"Bucket": bucket, "Key": progress_key(request_id)}
        self._what, self._total, self._done, self._told_at = "", 0, 0, 0.0

    def step(self, what: str, total_bytes: int = 0) -> None:
        """Say what begins."""
        self._what, self._total, self._done = what, total_bytes, 0
        self._tell()

    def advance(self, n_bytes: int) -> None:
        """Say how far it is, if it was long since."""
        self._done += n_bytes
        if time.monotonic() - self._told_at >= _TELL_EVERY_S:
            self._tell()

    def _tell(self) -> None:
        self._told_at = time.monotonic()
        told = {"step": self._what, "done_bytes": self._done, "total_bytes": self._total}
        with s3_errors_as_source_errors(
            "s3://{Bucket}/{Key}".format(**self._place), done="written"
        ):
            self._client.put_object(
                **self._place, Body=json.dumps(told).encode(), ContentType="application/json"
            )
