"""What to open of a version on this machine: its manifests, and the form that they come to.

No part of ONNX Runtime is imported here: a cold start asks this before it has imported that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Self

from inference.loading.cpu import block_width
from inference.loading.prefetch import READERS, begin_prefetch
from inference.loading.variant_files import files_of_plain, files_of_variant
from model_store.reading import read_preparation, read_version
from model_store.variant import PLAIN

if TYPE_CHECKING:
    from pathlib import Path

    from inference.loading.prefetch import Prefetch
    from inference.loading.variant_files import VariantFiles
    from inference.package_sets.prefetch import ImportPrefetch
    from inference.settings import Verify
    from model_store.layout import StoreLayout
    from model_store.preparation import PreparationManifest
    from model_store.refs import VersionEntry
    from model_store.variant import Variant
    from model_store.version import VersionManifest


class LoadPlan(NamedTuple):
    """A version's form for one runtime. `variant` and `preparation` None: nobody prepared it.

    `replacement` is the variant that replaces it once calls come, and its form; None: nothing does.
    """

    folder: Path
    manifest: VersionManifest
    preparation: PreparationManifest | None
    variant: Variant | None
    variant_files: VariantFiles
    replacement: tuple[Variant, VariantFiles] | None = None

    def fallback(self, runtime: str) -> str | None:
        """Why this is not a form that was prepared for here, in a line; None: it is."""
        if self.preparation is None or self.variant is None:
            return f"no preparation for {runtime}; loaded as the {PLAIN} variant"
        chosen = self.preparation.variant
        if self.preparation.fitting(block_width()) == chosen:
            return None  # and what is opened is that one, or what replaces it
        return (
            f"the {chosen.name} variant needs a processor with blocks of {chosen.block_width}; "
            f"loaded as the {self.variant.name} variant"
        )


class StartedReads(NamedTuple):
    """A form that is being read, and what importing its packages will touch, if that is known.

    As a context, it is stopped by whatever error ends that.
    """

    plan: LoadPlan
    prefetch: Prefetch
    imports: ImportPrefetch | None

    def stop(self) -> None:
        """Read nothing further: nobody needs it any more."""
        self.prefetch.stop()
        self.end_imports()

    def end_imports(self) -> None:
        """Let go of what importing touches: it was imported."""
        if self.imports:
            self.imports.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            self.stop()


def start_reads(layout: StoreLayout, plan: LoadPlan, verify: Verify) -> StartedReads:
    """Begin to read what a version needs; raises DamagedError where its manifest is at odds."""
    packages, preparation, imports = plan.manifest.content.packages, plan.preparation, None
    if packages and preparation and preparation.imports:
        # Imported here: few versions pin a package set.
        from inference.package_sets.prefetch import ImportPrefetch  # noqa: PLC0415

        folder = layout.package_set(packages)
        imports = ImportPrefetch(folder, preparation.imports, readers=READERS)
    return StartedReads(plan, begin_prefetch(plan.variant_files, verify), imports)


def read_load_plan(layout: StoreLayout, model: str, entry: VersionEntry, runtime: str) -> LoadPlan:
    """Read a version's manifests and decide on its form; raises as reading.py does."""
    manifest = read_version(layout, model, entry)
    preparation = read_preparation(layout, model, entry, runtime)
    folder = layout.model(model).version(entry.id)
    if preparation is None:
        variant_files = files_of_plain(folder, manifest.content, {})
        return LoadPlan(folder, manifest, None, None, variant_files)
    variant = preparation.fitting(block_width())
    prepared = layout.model(model).preparation(preparation.id)
    variant_files = files_of_variant(
        variant, folder, prepared, manifest.content, preparation.chunks
    )
    replacement = preparation.replacement_for(block_width())
    if replacement is None:
        return LoadPlan(folder, manifest, preparation, variant, variant_files)
    then = files_of_variant(replacement, folder, prepared, manifest.content, preparation.chunks)
    return LoadPlan(folder, manifest, preparation, variant, variant_files, (replacement, then))
