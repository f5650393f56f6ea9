"""The sync function's settings: read from the environment once, at start."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from model_sync.errors import SyncError

if TYPE_CHECKING:
    from collections.abc import Mapping


class JobSettingError(SyncError):
    """An environment variable is missing; the message names it."""

    code = "settings"


@dataclass(frozen=True, slots=True)
class JobSettings:
    """`STORE_PATH`: the store's root. `MODELS_BUCKET`: the bucket of uploads and progress."""

    store_path: Path
    models_bucket: str

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> Self:
        """Read the settings; raises JobSettingError naming the variable that is missing."""
        for name in ("STORE_PATH", "MODELS_BUCKET"):
            if not environ.get(name):
                raise JobSettingError(f"{name} is not set: the sync function needs it")
        return cls(Path(environ["STORE_PATH"]), environ["MODELS_BUCKET"])

    def describe(self) -> dict[str, Any]:
        """Return the settings as JSON, for the probe; none is a secret."""
        return {"store_path": str(self.store_path), "models_bucket": self.models_bucket}
