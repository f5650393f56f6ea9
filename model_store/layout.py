"""Paths of everything in a store. Pure: no file system access.

    <root>/STORE.json
    <root>/models/<name>/MODEL.json  refs.json  refs/<generation>.json
    <root>/models/<name>/versions/<id>/manifest.json  source/  pipeline/  golden/
    <root>/models/<name>/preparations/<id>/manifest.json
    <root>/packages/<digest>/manifest.json  files.json  site-packages/
    <root>/packages/.unused/<digest>              time since which no version pins the set
    <root>/staging/<id>/  trash/<id>/             invisible to readers

Names are checked here, so paths from this module never leave the store.
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
    """Paths of one model."""

    folder: Path

    @property
    def root(self) -> Path:
        """The store's root."""
        return self.folder.parent.parent

    @property
    def model_json(self) -> Path:
        """`{"format", "id"}`: a model that was deleted and created again has another id."""
        return self.folder / "MODEL.json"

    @property
    def refs_json(self) -> Path:
        """The newest refs, or slightly older: a hard link to a file in `refs_folder`."""
        return self.folder / "refs.json"

    @property
    def refs_folder(self) -> Path:
        """The folder of all generations of refs."""
        return self.folder / "refs"

    @property
    def versions(self) -> Path:
        """The folder of all versions' folders."""
        return self.folder / "versions"

    @property
    def preparations(self) -> Path:
        """The folder of all preparations' folders."""
        return self.folder / "preparations"

    def generation(self, number: int) -> Path:
        """Return the path of one generation of refs."""
        return self.refs_folder / f"{number}.json"

    def version(self, version_id: str) -> Path:
        """Return the path of one version's folder."""
        return self.versions / check_id(version_id)

    def preparation(self, preparation_id: str) -> Path:
        """Return the path of one preparation's folder."""
        return self.preparations / check_id(preparation_id)


class StoreLayout(NamedTuple):
    """Paths of a store."""

    root: Path

    @property
    def store_json(self) -> Path:
        """`{"format", "id"}`: proves that the store is mounted."""
        return self.root / "STORE.json"

    @property
    def models(self) -> Path:
        """The folder of all models' folders."""
        return self.root / "models"

    def model(self, name: str) -> ModelLayout:
        """Return one model's layout; raises InvalidNameError for an invalid name."""
        return ModelLayout(self.models / check_model(name))

    @property
    def packages(self) -> Path:
        """The folder of all package sets' folders."""
        return self.root / "packages"

    def package_set(self, digest: Digest) -> Path:
        """Return the path of one package set's folder."""
        return self.packages / digest.hex

    def unused_mark(self, digest: Digest) -> Path:
        """Return the path of a package set's mark: the time since which no version pins the set.

        A publication that needs the set deletes the mark.
        """
        return self.packages / UNUSED / digest.hex

    def staging(self, staging_id: str) -> Path:
        """Return the path of a staging folder, in which a writer completes a folder unseen."""
        return self.root / STAGING / check_id(staging_id)

    def trash(self, trash_id: str) -> Path:
        """Return the path of a trash folder.

        Folders are moved there, out of readers' sight, before they are deleted.
        """
        return self.root / TRASH / check_id(trash_id)
