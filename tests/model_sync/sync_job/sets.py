"""Package sets to upload, and requests for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from model_store.package_set import Target
from model_sync.package_sets.publish import describe_set, hash_wheels
from model_sync.progress import Silent
from model_sync.stage.uploads import upload_set
from tests.model_sync.sync_job.invocations import staged
from tests.support.wheels import write_wheel

if TYPE_CHECKING:
    from pathlib import Path

    from tests.model_sync.sync_job.buckets import Bucket

TARGET: Final = Target("3.11", "x86_64-manylinux_2_28")


def request_set(source: object) -> dict[str, Any]:
    """Publish an uploaded set."""
    return {"verb": "publish-packages", "request_id": "r-1", "source": source}


def write_two(folder: Path) -> tuple[Path, ...]:
    """Two wheels."""
    return tuple(write_wheel(folder, name) for name in ("alpha", "beta"))


def upload_wheels(
    bucket: Bucket, wheels: tuple[Path, ...], target: Target = TARGET, *, pruned: bool = True
) -> str:
    """Upload the set that wheels make; its key."""
    described = describe_set(hash_wheels(wheels), target, pruned=pruned)
    return upload_set(bucket.s3, bucket.name, described, wheels, Silent())


def nothing_is_left(tmp_path: Path) -> bool:
    """Return True if a store holds no set, and no staged one."""
    return not staged(tmp_path) and not list((tmp_path / "store").glob("packages/*"))
