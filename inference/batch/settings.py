"""The batch function's settings: those of every function, and the bucket of the outputs."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self

from inference.settings import SettingError, Settings

if TYPE_CHECKING:
    from collections.abc import Mapping

_BUCKET: Final = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")


@dataclass(frozen=True, slots=True)
class BatchSettings:
    """`BATCH_OUTPUT_BUCKET`: the bucket of the outputs, which must not send its events here."""

    serving: Settings
    output_bucket: str

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> Self:
        """Read the settings; raises SettingError naming the first variable that is wrong."""
        serving = Settings.from_environ(environ)
        bucket = environ.get("BATCH_OUTPUT_BUCKET", "")
        if not bucket:
            raise SettingError(
                "BATCH_OUTPUT_BUCKET is not set: give it the name of the bucket for outputs"
            )
        if not _BUCKET.fullmatch(bucket):
            raise SettingError(f"BATCH_OUTPUT_BUCKET is {bucket!r}: expected a bucket's name")
        return cls(serving, bucket)

    def describe(self) -> dict[str, Any]:
        """Return the settings as JSON, for the probe; none of them is a secret."""
        return {**self.serving.describe(), "batch_output_bucket": self.output_bucket}
