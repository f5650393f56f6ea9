"""Publish a model's folder as a version, in these steps.

1. Read the recipe; run the build script if an output is missing. Publish the package set that the
   recipe's requirements pin: a set is in place before any version names it.
2. Settle: repair what a crashed writer left.
3. If a local folder holds exactly the contents that the label names, settle and end; nothing is
   written. (For a source in S3 this would fetch changed contents twice.)
4. Stage the contents, hashing while copying; inspect the staged graph; write the manifest. If the
   contents are published already, use that version, and drop the staged one.
5. Compare the signature with that of the version that the label names now. A change that would
   break its callers is refused, unless it is allowed.
6. Try the version: load it in a fresh process with the code that will serve it, and run the golden
   cases.
7. Rename version and preparation into place: complete, but not yet in refs.
8. Commit one generation of refs, which adds the number, the label and the preparation together.
   After a lost race, decide again from step 4 on the winner's refs.
9. Settle.

If a step fails, readers see the same generation as before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from model_store.names import check_label
from model_store.package_set import Target
from model_store.refs import LATEST
from model_sync.errors import RecipeError
from model_sync.publishing.build_script import missing_outputs, run_build
from model_sync.publishing.publication import Publication, PublishResult
from model_sync.publishing.unchanged import is_unchanged
from model_sync.refs.commit import settle
from model_sync.sources.folder import FolderSource
from model_sync.sources.recipe import RECIPE, read_recipe
from model_sync.store_io.create_store import open_store
from model_sync.store_io.staging import Staging
from model_sync.time_limit import NO_LIMIT

if TYPE_CHECKING:
    from pathlib import Path

    from model_store.digests import Digest
    from model_store.layout import StoreLayout
    from model_sync.progress import Progress
    from model_sync.sources.recipe import Packages, Recipe
    from model_sync.sources.source import Source
    from model_sync.time_limit import TimeLimit


def publish(
    folder: Path,
    store: Path,
    *,
    progress: Progress,
    name: str | None = None,
    label: str = LATEST,
    reason: str = "",
    allow_signature_change: bool = False,
) -> PublishResult:
    """Publish a model's folder into a store; create the store if it does not exist.

    `allow_signature_change`: publish even if that breaks callers of the version that the label
    names (signature_change.py).

    Raises SyncError or StoreError; readers then see no change.
    """
    source, recipe = read_folder(folder, name=name)
    check_label(label)
    layout = open_store(store)
    build_outputs(recipe, folder, progress)
    packages = None
    if recipe.packages:
        requirements = requirements_file(recipe.packages, source)
        # Imported here, because the sync function has neither pip nor a registry.
        from model_sync.package_sets.publish import publish_packages  # noqa: PLC0415

        manifest, _ = publish_packages(
            requirements, layout, Target.running(), progress, pruned=recipe.packages.prune
        )
        packages = manifest.digest
    return publish_source(
        source,
        recipe,
        layout,
        packages=packages,
        progress=progress,
        label=label,
        reason=reason,
        allow_signature_change=allow_signature_change,
    )


def read_folder(folder: Path, *, name: str | None) -> tuple[FolderSource, Recipe]:
    """Return a model's folder as a source, and its recipe; raises RecipeError or SourceError."""
    if not folder.is_dir():
        raise RecipeError(f"{folder} is no folder: name the folder of a model")
    source = FolderSource(folder)
    return source, read_recipe(source, name=name, implied_name=folder.resolve().name)


def read_packages(folder: Path) -> tuple[Path, bool]:
    """Return the requirements file that a model's folder names, and True if its set is pruned.

    Raises RecipeError, also if the folder names none; SourceError.
    """
    source, recipe = read_folder(folder, name=None)
    if not recipe.packages:
        raise RecipeError(f"{folder}/{RECIPE} names no packages: add [packages] requirements")
    return requirements_file(recipe.packages, source), recipe.packages.prune


def build_outputs(recipe: Recipe, folder: Path, progress: Progress) -> None:
    """Run a folder's build script if an output is missing; raises BuildError."""
    if recipe.build and missing_outputs(folder, recipe.build):
        progress.step(f"building with {recipe.build.script}")
        run_build(folder, recipe.build)


def requirements_file(packages: Packages, source: FolderSource) -> Path:
    """Return the requirements file in a folder; raises SourceError if missing or outside it."""
    source.size_bytes(packages.requirements)
    return source.folder / packages.requirements


def publish_source(
    source: Source,
    recipe: Recipe,
    layout: StoreLayout,
    *,
    progress: Progress,
    packages: Digest | None = None,
    label: str = LATEST,
    reason: str = "",
    who: str | None = None,
    allow_signature_change: bool = False,
    time_limit: TimeLimit = NO_LIMIT,
) -> PublishResult:
    """Publish a source with existing build outputs into an existing store.

    `packages`: the published package set of its requirements; required if the recipe names
    packages. Raises SyncError or StoreError; readers then see no change.
    """
    with Staging(layout) as staging:
        refs = settle(layout.model(recipe.name), staging)
        publication = Publication(
            layout, recipe.name, staging, progress, who=who, time_limit=time_limit
        )
        served = (
            publication.served_content(refs, label) if isinstance(source, FolderSource) else None
        )
        if served and is_unchanged(source, recipe, packages, served, progress):
            unchanged = publication.result_if_unchanged(served.digest, label)
            if unchanged:
                return unchanged
        publication.stage(recipe, source, packages)
        return publication.commit(label, reason, allow_signature_change=allow_signature_change)
