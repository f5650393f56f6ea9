"""Where each thing lies in a store. Pure: nothing here touches a file system.

    <root>/STORE.json
    <root>/models/<name>/MODEL.json  refs.json  refs/<generation>.json
    <root>/models/<name>/versions/<id>/manifest.json  source/  pipeline/  golden/
    <root>/models/<name>/preparations/<id>/manifest.json
    <root>/packages/<digest>/manifest.json  files.json  site-packages/
    <root>/packages/.unused/<digest>              since when no version pins the set
    <root>/staging/<id>/  trash/<id>/             invisible to readers

Names are checked here, so a path made by this module never leaves the store.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from model_store.names import check_id, check_model

if TYPE_CHECKING:
    from pathlib import Path

    from model_store.digests import Digest

MANIFEST: Final = "manifest.json"
SOURCE: Final = "source"
PIPELINE: Final = "pipeline"
GOLDEN: Final = "golden"
STAGING: Final = "staging"
TRASH: Final = "trash"
UNUSED: Final = ".unused"


class ModelLayout(NamedTuple):
    """Where one model's things lie."""

    folder: Path

    @property
    def root(self) -> Path:
        """The store's root."""
        return self.folder.parent.parent

    @property
    def model_json(self) -> Path:
        """`{"format", "id"}`: a model deleted and made again has another id."""
        return self.folder / "MODEL.json"

    @property
    def refs_json(self) -> Path:
        """The newest refs, or nearly: a hard link to a file in `refs_folder`."""
        return self.folder / "refs.json"

    @property
    def refs_folder(self) -> Path:
        """Every refs that ever was."""
        return self.folder / "refs"

    @property
    def versions(self) -> Path:
        """The folder of the versions' folders."""
        return self.folder / "versions"

    @property
    def preparations(self) -> Path:
        """The folder of the preparations' folders."""
        return self.folder / "preparations"

    def generation(self, number: int) -> Path:
        """One generation of refs."""
        return self.refs_folder / f"{number}.json"

    def version(self, version_id: str) -> Path:
        """One version's folder."""
        return self.versions / check_id(version_id)

    def preparation(self, preparation_id: str) -> Path:
        """One preparation's folder."""
        return self.preparations / check_id(preparation_id)


class StoreLayout(NamedTuple):
    """Where a store's things lie."""

    root: Path

    @property
    def store_json(self) -> Path:
        """`{"format", "id"}`: proves that the mount is there."""
        return self.root / "STORE.json"

    @property
    def models(self) -> Path:
        """The folder of the models' folders."""
        return self.root / "models"

    def model(self, name: str) -> ModelLayout:
        """One model's layout; raises InvalidNameError for what is no model name."""
        return ModelLayout(self.models / check_model(name))

    @property
    def packages(self) -> Path:
        """The folder of the package sets' folders."""
        return self.root / "packages"

    def package_set(self, digest: Digest) -> Path:
        """One package set's folder."""
        return self.packages / digest.hex

    def unused_mark(self, digest: Digest) -> Path:
        """Says since when no version pins a package set; a publisher that needs it deletes it."""
        return self.packages / UNUSED / digest.hex

    def staging(self, staging_id: str) -> Path:
        """A folder in which a writer makes things complete before they appear."""
        return self.root / STAGING / check_id(staging_id)

    def trash(self, trash_id: str) -> Path:
        """A folder of what is being deleted: moved there first, out of everyone's sight."""
        return self.root / TRASH / check_id(trash_id)
