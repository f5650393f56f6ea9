"""A store on this machine, as a client of the command line.

Each method imports only the modules that it needs: ONNX Runtime alone takes half a second.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from model_store.layout import StoreLayout
from model_store.names import check_label
from model_store.package_set import Target
from model_store.reading import read_store_id
from model_sync.admin.show import list_published
from model_sync.identity import publisher

if TYPE_CHECKING:
    from pathlib import Path

    from model_sync.progress import Progress
    from model_sync.store_client import PackageSetOptions, PublishOptions


class LocalStore:
    """The store at `root`. Publishing creates a missing store."""

    def __init__(self, root: Path, progress: Progress) -> None:
        self._root = root
        self._progress = progress

    def publish_folder(self, folder: Path, options: PublishOptions) -> dict[str, Any]:
        """Publish a model's folder; raises SyncError or StoreError."""
        from model_sync.publishing.publish import publish  # noqa: PLC0415 - as above

        result = publish(folder, self._root, progress=self._progress, **options._asdict())
        return result.to_json()

    def publish_url(self, url: str, options: PublishOptions) -> dict[str, Any]:
        """Publish the model below a prefix in S3; raises SyncError or StoreError."""
        from model_sync.publishing.publish import publish_source  # noqa: PLC0415
        from model_sync.sources.recipe import read_recipe  # noqa: PLC0415
        from model_sync.sources.s3 import (  # noqa: PLC0415
            S3Source,
            parse_s3_url,
            s3_client,
        )
        from model_sync.store_io.create_store import open_store  # noqa: PLC0415 - as above

        check_label(options.label)
        source = S3Source(s3_client(), *parse_s3_url(url))
        recipe = read_recipe(source, name=options.name, implied_name=source.name.rpartition("/")[2])
        layout = open_store(self._root)
        result = publish_source(
            source,
            recipe,
            layout,
            progress=self._progress,
            label=options.label,
            reason=options.reason,
            allow_signature_change=options.allow_signature_change,
        )
        return result.to_json()

    def publish_packages(self, requirements: Path, options: PackageSetOptions) -> dict[str, Any]:
        """Publish a package set, by default for this Python; raises SyncError or StoreError."""
        from model_sync.package_sets.publish import describe_packages, publish_packages  # noqa: PLC0415
        from model_sync.store_io.create_store import open_store  # noqa: PLC0415 - as above

        target = Target.running().override(python=options.python, platform=options.platform)
        layout = open_store(self._root)
        manifest, created = publish_packages(
            requirements,
            layout,
            target,
            self._progress,
            pruned=options.pruned,
            interpreter=options.interpreter,
        )
        return {**describe_packages(manifest), "created": created}

    def constraints(self, *, python: str | None, platform: str | None) -> dict[str, Any]:
        """Return the packages that the target's runtime brings; raises SyncError.

        The default target is this runtime.
        """
        from model_sync.package_sets.runtime_packages import Runtime  # noqa: PLC0415 - as above

        return Runtime.here().describe(python=python, platform=platform)

    def list_models(self) -> dict[str, Any]:
        """Return the published models; raises StoreError."""
        return list_published(StoreLayout(self._root))

    def list_packages(self) -> dict[str, Any]:
        """Return the package sets; raises StoreError."""
        from model_sync.admin.package_sets import list_sets  # noqa: PLC0415 - as above

        layout = StoreLayout(self._root)
        read_store_id(layout)
        return list_sets(layout)

    def run(self, operation: str, fields: dict[str, Any]) -> dict[str, Any]:
        """Run an operation of admin/operations.py; raises SyncError or StoreError."""
        from model_sync.admin.operations import run_operation  # noqa: PLC0415
        from model_sync.mounted_store import MountedStore  # noqa: PLC0415 - as above

        layout = StoreLayout(self._root)
        read_store_id(layout)
        store = MountedStore(layout=layout, progress=self._progress, who=publisher())
        return run_operation(operation, store, fields)
