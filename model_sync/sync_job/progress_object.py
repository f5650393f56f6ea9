"""Progress of a request, as an object in the models bucket."""

from __future__ import annotations

import json
import time
from typing import Any, Final

from model_sync.sources.s3 import s3_errors_as_source_errors

JOBS: Final = ".jobs/"
_WRITE_INTERVAL_S: Final = 1.0


def progress_key(request_id: str) -> str:
    """Return the key of a request's progress."""
    return f"{JOBS}{request_id}.json"


class ProgressObject:
    """A Progress that writes `{"step", "done_bytes", "total_bytes"}`, at most once a second.

    Raises SourceError if the object cannot be written; then the request fails.
    """

    def __init__(self, client: Any, bucket: str, request_id: str) -> None:
        self._client = client
        self._location = {"Bucket": bucket, "Key": progress_key(request_id)}
        self._what, self._total, self._done, self._written_at = "", 0, 0, 0.0

    def step(self, what: str, total_bytes: int = 0) -> None:
        """Write the step that begins."""
        self._what, self._total, self._done = what, total_bytes, 0
        self._write()

    def advance(self, n_bytes: int) -> None:
        """Write the bytes done, if the last write is a second old."""
        self._done += n_bytes
        if time.monotonic() - self._written_at >= _WRITE_INTERVAL_S:
            self._write()

    def _write(self) -> None:
        self._written_at = time.monotonic()
        state = {"step": self._what, "done_bytes": self._done, "total_bytes": self._total}
        with s3_errors_as_source_errors(
            "s3://{Bucket}/{Key}".format(**self._location), done="written"
        ):
            self._client.put_object(
                **self._location, Body=json.dumps(state).encode(), ContentType="application/json"
            )
