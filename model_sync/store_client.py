"""The protocol of a store that is published to, and the options of publishing.

Two classes implement the protocol: `LocalStore` (cli/local_store.py) for a store on this machine,
`StageStore` (stage/client.py) for the store of a deployed stage.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from model_store.refs import LATEST
from model_sync.errors import StageError

if TYPE_CHECKING:
    from pathlib import Path


class PublishOptions(NamedTuple):
    """The options of publishing a model.

    `name`: the model's name; None: the recipe's. `label`: the label to move to the version.
    `reason`: for the model's history. `allow_signature_change`: publish even if the new signature
    breaks callers of the version that the label names.
    """

    name: str | None = None
    label: str = LATEST
    reason: str = ""
    allow_signature_change: bool = False


class PackageSetOptions(NamedTuple):
    """The options of publishing a package set.

    `python` and `platform`: the target; None: the runtime's. `pruned`: leave out
    files that a server never needs. `interpreter`: the Python that compiles the packages; None:
    find one.
    """

    python: str | None = None
    platform: str | None = None
    pruned: bool = True
    interpreter: Path | None = None


class StoreClient(Protocol):
    """A store to publish to. Methods return the object that `--json` prints.

    `publish_folder` and `publish_url` add `changed` to that object.
    """

    def publish_folder(self, folder: Path, options: PublishOptions) -> dict[str, Any]:
        """Publish a model's folder."""

    def publish_url(self, url: str, options: PublishOptions) -> dict[str, Any]:
        """Publish the model whose files are below `s3://BUCKET/PREFIX/`."""

    def publish_packages(self, requirements: Path, options: PackageSetOptions) -> dict[str, Any]:
        """Publish the set that a requirements file pins."""

    def constraints(self, *, python: str | None, platform: str | None) -> dict[str, Any]:
        """Return the packages, with versions, that the target's runtime brings."""

    def list_models(self) -> dict[str, Any]:
        """Return the published models."""

    def list_packages(self) -> dict[str, Any]:
        """Return the package sets."""

    def run(self, operation: str, fields: dict[str, Any]) -> dict[str, Any]:
        """Run an operation of admin/operations.py."""


def not_for_stages(operation: str) -> StageError:
    """Return the error for an operation that a stage's sync function does not run."""
    return StageError(
        f"{operation} works on a store that is mounted here: the file system of a stage is copied "
        "by AWS Backup (backs_up = true in its settings)"
    )
