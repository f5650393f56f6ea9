"""A large set of real packages, as a store holds it: published once a session, for slow tests.

It holds what real/requirements.in names, and what that needs, less what the runtime brings.
"""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from model_store.package_set import SITE_PACKAGES, PackageSetManifest, Target
from model_sync.package_sets.download import get_wheels
from model_sync.package_sets.publish import publish_wheels
from model_sync.package_sets.runtime_packages import installed_runtime
from model_sync.progress import Silent
from model_sync.store_io.create_store import open_store

if TYPE_CHECKING:
    from collections.abc import Iterator

    from model_store.layout import StoreLayout

REQUIREMENTS: Final = Path(__file__).parent / "real" / "requirements.txt"


class LargeSet(NamedTuple):
    """A published set, and the store that holds it. Not to be changed."""

    layout: StoreLayout
    manifest: PackageSetManifest

    @property
    def site(self) -> Path:
        """The set's `site-packages`."""
        return self.layout.package_set(self.manifest.digest) / SITE_PACKAGES


@contextmanager
def published_set(folder: Path) -> Iterator[LargeSet]:
    """Publish the set into a store in `folder`, which is removed at the end: it is large."""
    try:
        wheels, target = folder / "wheels", Target.running()
        wheels.mkdir()
        kept = get_wheels(REQUIREMENTS, target, installed_runtime(), wheels, Silent())
        layout = open_store(folder / "store")
        # With their own tests, which are run.
        manifest, _ = publish_wheels(kept, layout, target, Silent(), pruned=False)
        shutil.rmtree(wheels)
        yield LargeSet(layout, manifest)
    finally:
        shutil.rmtree(folder)
