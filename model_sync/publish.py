"""Publishes a model's folder as a version. Reads as the list of what publishing does.

1. Read the recipe; run the build script if an output is missing. Publish the package set that the
   recipe's requirements pin: it is in place before any version names it.
2. Settle: heal what a crashed writer left.
3. Stage the contents, hashing while copying; inspect the staged graph; render the manifest.
4. If these contents are published already, keep that version, and drop what was staged.
5. Try it: load it in a fresh process by the code that will serve it, run the golden cases.
6. Rename version and preparation into place: complete, and named by nothing yet.
7. Commit one generation of refs: number, label, preparation, all at once. Lost the race: decide
   again from 4, on what the winner wrote.
8. Settle.

Whatever fails, readers see the generation that they saw before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from model_store.names import check_label
from model_store.package_set import Target
from model_store.refs import LATEST
from model_sync.builder import missing_outputs, run_build
from model_sync.commit import settle
from model_sync.creation import open_store
from model_sync.errors import RecipeError
from model_sync.publication import Publication, Published
from model_sync.recipe import read_recipe
from model_sync.source import FolderSource
from model_sync.staging import Staging

if TYPE_CHECKING:
    from pathlib import Path

    from model_store.digests import Digest
    from model_store.layout import StoreLayout
    from model_sync.progress import Progress
    from model_sync.recipe import Recipe
    from model_sync.source import Source


def publish(
    folder: Path,
    store: Path,
    *,
    progress: Progress,
    name: str | None = None,
    label: str = LATEST,
    reason: str = "",
) -> Published:
    """Publish a model's folder into a store, which is made if it is not there yet.

    Raises SyncError or StoreError; nothing visible has changed then.
    """
    if not folder.is_dir():
        raise RecipeError(f"{folder} is no folder: name the folder of a model")
    source = FolderSource(folder)
    recipe = read_recipe(source, name=name, implied_name=folder.resolve().name)
    check_label(label)
    layout = open_store(store)
    _build(recipe, folder, progress)
    packages = _publish_packages(recipe, folder, source, layout, progress)
    return _publish(source, recipe, layout, packages, progress, label, reason)


def publish_source(
    source: Source,
    recipe: Recipe,
    layout: StoreLayout,
    *,
    progress: Progress,
    label: str = LATEST,
    reason: str = "",
) -> Published:
    """Publish a source whose build outputs are there, into a store that is there.

    A recipe that names packages is refused: they come from a registry, by `publish`.
    Raises SyncError or StoreError; nothing visible has changed then.
    """
    return _publish(source, recipe, layout, None, progress, label, reason)


def _publish(
    source: Source,
    recipe: Recipe,
    layout: StoreLayout,
    packages: Digest | None,
    progress: Progress,
    label: str,
    reason: str,
) -> Published:
    with Staging(layout) as staging:
        settle(layout.model(recipe.name), staging)
        publication = Publication(layout, recipe.name, staging, progress)
        publication.stage(recipe, source, packages)
        return publication.commit(label, reason)


def _build(recipe: Recipe, folder: Path, progress: Progress) -> None:
    if recipe.build and missing_outputs(folder, recipe.build):
        progress.step(f"building with {recipe.build.script}")
        run_build(folder, recipe.build)


def _publish_packages(
    recipe: Recipe, folder: Path, source: FolderSource, layout: StoreLayout, progress: Progress
) -> Digest | None:
    if recipe.packages is None:
        return None
    # Imported here: where models are published from S3 there is neither pip nor a registry.
    from model_sync.packages import publish_packages  # noqa: PLC0415

    requirements = recipe.packages.requirements
    source.size_bytes(requirements)  # refuses a file that is missing, or leads out of the folder
    target = Target.running()
    manifest, _ = publish_packages(folder / requirements, layout, target, progress)
    return manifest.digest
