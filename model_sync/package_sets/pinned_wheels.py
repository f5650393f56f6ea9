"""Gets the wheels of a package set: what requirements pin, less what the runtime brings itself.

Always on the caller's side, as download.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from model_sync.package_sets.download import download_wheels
from model_sync.package_sets.runtime_packages import left_to_the_runtime, refuse_same_modules

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from model_store.package_set import Target
    from model_sync.progress import Progress


def get_wheels(
    requirements: Path,
    target: Target,
    brought: Mapping[str, str],
    folder: Path,
    progress: Progress,
) -> tuple[Path, ...]:
    """Download a set's wheels into `folder`. `brought`: what the target's runtime brings.

    Raises PackagesError.
    """
    progress.step(f"getting the wheels of {requirements}")
    wheels = download_wheels(requirements, target, folder)
    kept, left = left_to_the_runtime(wheels, brought, requirements)
    refuse_same_modules(kept, brought, requirements)
    if left:
        progress.step(f"leaving {', '.join(left)} to the runtime, which brings the same")
    return kept
