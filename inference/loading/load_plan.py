"""Plan the load of a version on this machine: its manifests, and the variant to load.

Nothing of ONNX Runtime is imported here, because early reads plan a load before that import.
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
    """A version's folder and manifests, and the variant of it to load for one runtime.

    `variant` and `preparation` are None if the version has no preparation for the runtime; its
    plain variant is then loaded. `replacement` is the variant that takes over once calls come, with
    its files; None if no variant does.
    """

    folder: Path
    manifest: VersionManifest
    preparation: PreparationManifest | None
    variant: Variant | None
    variant_files: VariantFiles
    replacement: tuple[Variant, VariantFiles] | None = None

    def fallback(self, runtime: str) -> str | None:
        """Return, in one line, why this is not the runtime's chosen variant; None if it is."""
        if self.preparation is None or self.variant is None:
            return f"no preparation for {runtime}; loaded as the {PLAIN} variant"
        chosen = self.preparation.variant
        if self.preparation.fitting(block_width()) == chosen:
            return None  # the plan's variant is `chosen` or its replacement
        return (
            f"the {chosen.name} variant needs a processor with blocks of {chosen.block_width}; "
            f"loaded as the {self.variant.name} variant"
        )


class StartedReads(NamedTuple):
    """Reads in progress for a load plan, and those for importing its package set, if recorded.

    As a context manager, it stops the reads if the block raises.
    """

    plan: LoadPlan
    prefetch: Prefetch
    imports: ImportPrefetch | None

    def stop(self) -> None:
        """Start no further read: the load is not coming."""
        self.prefetch.stop()
        self.end_imports()

    def end_imports(self) -> None:
        """Stop reading ahead for imports, and close their files: the imports are done."""
        if self.imports:
            self.imports.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            self.stop()


def start_reads(layout: StoreLayout, plan: LoadPlan, verify: Verify) -> StartedReads:
    """Start reading the files that a load plan needs.

    Raises DamagedError if the preparation's manifest contradicts itself.
    """
    packages, preparation, imports = plan.manifest.content.packages, plan.preparation, None
    if packages and preparation and preparation.imports:
        # Imported here: few versions pin a package set.
        from inference.package_sets.prefetch import ImportPrefetch  # noqa: PLC0415

        folder = layout.package_set(packages)
        imports = ImportPrefetch(folder, preparation.imports, readers=READERS)
    return StartedReads(plan, begin_prefetch(plan.variant_files, verify), imports)


def read_load_plan(layout: StoreLayout, model: str, entry: VersionEntry, runtime: str) -> LoadPlan:
    """Read a version's manifests and choose its variant.

    Raises as model_store/reading.py does.
    """
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
    replacement_files = files_of_variant(
        replacement, folder, prepared, manifest.content, preparation.chunks
    )
    return LoadPlan(
        folder, manifest, preparation, variant, variant_files, (replacement, replacement_files)
    )
