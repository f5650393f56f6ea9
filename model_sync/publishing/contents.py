"""Stage a version's files: plan them by the recipe, copy them, and describe the result.

The graph and its external data go to `source/` and keep their paths relative to each other. The
pipeline and its data go to `pipeline/` and keep their paths in the model's folder. Golden cases go
to `golden/<case>/`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from model_store.layout import GOLDEN, PIPELINE, SOURCE
from model_store.version import GoldenCases, VersionContent
from model_sync.errors import RecipeError, SourceError
from model_sync.graphs.inspection import external_files, refuse_too_large
from model_sync.sources.recipe import RECIPE
from model_sync.store_io.disk_space import require_space
from model_sync.store_io.staging import copy_in
from model_sync.text import pluralize

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from model_store.digests import Digest
    from model_store.files import FileEntry
    from model_sync.progress import Progress
    from model_sync.sources.recipe import Recipe
    from model_sync.sources.source import Source


@dataclass(slots=True)
class _Copier:
    source: Source
    folder: Path
    progress: Progress
    entries: list[FileEntry] = field(default_factory=list)

    def copy(self, what: str, targets: dict[str, str]) -> None:
        """Copy files, given as {path in the source: path in the version}."""
        sizes = {path: self.source.size_bytes(path) for path in targets}
        if targets:
            self.progress.step(f"copying {what}", sum(sizes.values()))
        for path, target in targets.items():
            advance, size = self.progress.advance, sizes[path]
            entry = copy_in(self.source, path, self.folder, target, advance, size_bytes=size)
            self.entries.append(entry)

    def require_space(self, *parts: dict[str, str]) -> None:
        """Raise SpaceError if the files of these parts do not fit; SourceError."""
        n_bytes = sum(self.source.size_bytes(path) for part in parts for path in part)
        require_space(self.folder, n_bytes, self.source.name)


def stage_contents(
    recipe: Recipe,
    source: Source,
    folder: Path,
    progress: Progress,
    packages: Digest | None = None,
) -> VersionContent:
    """Copy all files of a version into `folder`, and return the version's content.

    `packages` is the published package set of the recipe's requirements; the caller publishes it,
    because that needs a registry.

    Raises RecipeError, also if the recipe names packages and `packages` is None; SourceError or
    InspectionError, with some files already copied; SpaceError, with at most the graph copied,
    since the graph must be read to know the external data files.
    """
    if recipe.packages and packages is None:
        raise RecipeError(
            f"{source.name}/{RECIPE} names packages, which come from a registry that cannot be "
            "reached from here: publish the model with make sync-model"
        )
    plan = plan_contents(recipe, source)
    copier = _Copier(source, folder, progress)
    copier.require_space(plan.graph_files, plan.pipeline_files, plan.golden_files)
    refuse_too_large(source.size_bytes(plan.model_file), plan.model_file)
    copier.copy(plan.model_file, plan.graph_files)
    staged_graph = folder / plan.graph_files[plan.model_file]
    external = plan.external_files(external_files(staged_graph, plan.model_file))
    plan.refuse_unassigned(external)
    copier.require_space(external, plan.pipeline_files, plan.golden_files)
    copier.copy("external data", external)
    copier.copy("the pipeline", plan.pipeline_files)
    copier.copy(pluralize(len(plan.cases), "golden case"), plan.golden_files)
    return plan.version_content(copier.entries, packages)


@dataclass(frozen=True, slots=True)
class ContentPlan:
    """The files that a version takes from a source, as {path in the source: path in the version}.

    External data files are not included: only the graph itself names them.
    """

    recipe: Recipe
    source: Source
    model_file: str
    cases: tuple[str, ...]
    graph_files: dict[str, str]
    pipeline_files: dict[str, str]
    golden_files: dict[str, str]

    def external_files(self, paths: Iterable[str]) -> dict[str, str]:
        """Map external data files, given by their paths in the graph, to their targets."""
        beside = PurePosixPath(self.model_file).parent
        return {str(beside / path): f"{SOURCE}/{path}" for path in paths}

    def refuse_unassigned(self, external: Iterable[str]) -> None:
        """Raise RecipeError for files that no recipe assigns: they would silently be left out."""
        if self.recipe.model_file is not None:
            return
        files = set(self.source.files())
        unassigned = sorted(files - {self.model_file, *external})
        if unassigned and RECIPE not in files:
            raise RecipeError(
                f"{self.source.name} holds {unassigned[0]!r} beside its model: "
                f"say what it is for in {RECIPE}, or move it away"
            )

    def version_content(
        self, entries: Iterable[FileEntry], packages: Digest | None
    ) -> VersionContent:
        """Return the version's content, given the entries of its files."""
        pipeline, golden = self.recipe.pipeline, self.recipe.golden
        return VersionContent(
            files=tuple(sorted(entries)),
            model_file=self.graph_files[self.model_file],
            pipeline_file=f"{PIPELINE}/{pipeline.file}" if pipeline else None,
            golden=GoldenCases(self.cases, golden.rtol, golden.atol),
            packages=packages,
            optimize_for=self.recipe.optimize_for,
        )


def plan_contents(recipe: Recipe, source: Source) -> ContentPlan:
    """Decide which files a version takes; raises RecipeError or SourceError."""
    model_file = recipe.model_file or _only_model(source)
    cases = _cases(recipe, source)
    return ContentPlan(
        recipe=recipe,
        source=source,
        model_file=model_file,
        cases=tuple(cases),
        graph_files={model_file: f"{SOURCE}/{PurePosixPath(model_file).name}"},
        pipeline_files=_pipeline_files(recipe),
        golden_files={
            path: f"{GOLDEN}/{case}/{PurePosixPath(path).name}"
            for case, paths in cases.items()
            for path in paths
        },
    )


def _pipeline_files(recipe: Recipe) -> dict[str, str]:
    """Return the pipeline and its data, as {path in the source: path in the version}."""
    if not recipe.pipeline:
        return {}
    paths = (recipe.pipeline.file, *recipe.pipeline.data)
    return {path: f"{PIPELINE}/{path}" for path in paths}


def _only_model(source: Source) -> str:
    models = [path for path in source.files() if path.endswith(".onnx") and "/" not in path]
    if len(models) != 1:
        found = f"{len(models)} .onnx files" if models else "no .onnx file"
        raise RecipeError(
            f"{source.name} holds {found}: name the model in {RECIPE}, under [model] file"
        )
    return models[0]


def _cases(recipe: Recipe, source: Source) -> dict[str, list[str]]:
    """Return the paths of each golden case's request and expected answer, by the case's name."""
    if recipe.golden.folder is None:
        return {}
    cases: dict[str, list[str]] = {}
    root = PurePosixPath(recipe.golden.folder)
    for path in source.files(recipe.golden.folder):
        parts = PurePosixPath(path).relative_to(root).parts
        if len(parts) != 2:
            raise SourceError(f"{source.name}/{path} is not in a golden case's own folder")
        cases.setdefault(parts[0], []).append(path)
    for case, paths in cases.items():
        names = sorted(PurePosixPath(path).name for path in paths)
        if len(names) != 2 or names[0] != "expected.json" or not names[1].startswith("request."):
            raise SourceError(
                f"golden case {case!r} in {source.name}/{root} holds {', '.join(names)}: "
                "expected one request.* and expected.json"
            )
    return dict(sorted(cases.items()))
