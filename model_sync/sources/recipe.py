"""Recipe: the contents of `model.toml`, or the defaults for a folder without that file.

    name = "magika"                      # default: the folder's name
    [model]
    file = "build/model.onnx"            # default: the only .onnx file
    [build]
    script = "build.py"                  # runs if an output is missing
    outputs = ["build/model.onnx"]
    requirements = "build.txt"           # the script's own imports, pinned with hashes
    [pipeline]
    file = "pipeline.py"
    data = ["build/config.json"]         # keeps its path relative to the pipeline
    [golden]
    folder = "golden"                    # golden/<case>/request.* and expected.json
    rtol = 1e-5
    atol = 1e-6
    [packages]
    requirements = "requirements.txt"    # pinned, with hashes: the version's package set
    prune = true                         # leave out tests and the like (package_sets/pruning.py)
    [optimize]
    optimize_for = "balanced"            # or "cold", "warm": how its variant is chosen

Every table is optional; a key that is not listed here is refused. A folder without model.toml
must hold exactly one .onnx file. This module reads when it is called; it runs and copies nothing.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar

from model_store.documents import Fields
from model_store.errors import DamagedError, InvalidNameError
from model_store.names import check_model, check_relative_path
from model_store.version import BALANCED, OBJECTIVES
from model_sync.errors import RecipeError

if TYPE_CHECKING:
    from collections.abc import Callable

    from model_sync.sources.source import Source

T = TypeVar("T")

RECIPE: Final = "model.toml"
_MAX_BYTES: Final = 1 << 20
_RTOL: Final = 1e-5
_ATOL: Final = 1e-6


@dataclass(frozen=True, slots=True)
class Build:
    """A build script and its outputs; paths are relative to the model's folder, where it runs.

    `requirements`: file with the packages that the script needs and the model does not.
    """

    script: str
    outputs: tuple[str, ...]
    requirements: str | None = None


@dataclass(frozen=True, slots=True)
class PipelineFiles:
    """A pipeline's file and its data; paths are relative to the model's folder."""

    file: str
    data: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Golden:
    """The folder of the golden cases, and the tolerances for floats."""

    folder: str | None = None
    rtol: float = _RTOL
    atol: float = _ATOL


@dataclass(frozen=True, slots=True)
class Packages:
    """The requirements file of a version's package set, relative to the model's folder.

    `prune`: leave out files that a server never needs.
    """

    requirements: str
    prune: bool = True


@dataclass(frozen=True, slots=True)
class Recipe:
    """A model's recipe. `model_file` None: the only .onnx file in the folder."""

    name: str
    model_file: str | None = None
    build: Build | None = None
    pipeline: PipelineFiles | None = None
    golden: Golden = Golden()
    packages: Packages | None = None
    optimize_for: str = BALANCED


def read_recipe(source: Source, *, name: str | None = None, implied_name: str = "") -> Recipe:
    """Read a source's recipe. The model's name is `name`, else the recipe's, else `implied_name`.

    Raises RecipeError, which names the file and the key, or SourceError.
    """
    where = f"{source.name}/{RECIPE}"
    table = _read_table(source, where) if source.has(RECIPE) else {}
    try:
        return _recipe(Fields(table, where), name, implied_name)
    except (DamagedError, InvalidNameError) as error:
        raise RecipeError(str(error)) from error


def _read_table(source: Source, where: str) -> dict[str, object]:
    if source.size_bytes(RECIPE) > _MAX_BYTES:
        raise RecipeError(f"{where} is larger than {_MAX_BYTES} bytes")
    blocks: list[bytes] = []
    source.copy(RECIPE, blocks.append)
    try:
        return tomllib.loads(b"".join(blocks).decode())
    except RecursionError:
        raise RecipeError(f"{where} cannot be read: it nests too deep") from None
    except ValueError as error:
        raise RecipeError(f"{where} cannot be read: {error}") from error


def _recipe(fields: Fields, name: str | None, implied_name: str) -> Recipe:
    recipe = Recipe(
        name=_name(fields, name, implied_name),
        model_file=_optional(fields, "model", lambda table: _path(table, "file")),
        build=_optional(fields, "build", _build),
        pipeline=_optional(fields, "pipeline", _pipeline),
        golden=_optional(fields, "golden", _golden) or Golden(),
        packages=_optional(fields, "packages", _packages),
        optimize_for=_optional(fields, "optimize", _optimize_for) or BALANCED,
    )
    fields.done()
    return recipe


def _name(fields: Fields, name: str | None, implied_name: str) -> str:
    if "name" in fields.names():
        value = fields.text("name")
        return check_model(value if name is None else name)
    if name is not None:
        return check_model(name)
    try:
        return check_model(implied_name)
    except InvalidNameError as error:
        raise RecipeError(
            f"{error} (it is the folder's name: give another with --name, or in {RECIPE})"
        ) from None


def _optional(fields: Fields, key: str, read: Callable[[Fields], T]) -> T | None:
    if key not in fields.names():
        return None
    table = fields.fields(key)
    value = read(table)
    table.done()
    return value


def _build(table: Fields) -> Build:
    requirements = _path(table, "requirements") if "requirements" in table.names() else None
    return Build(_path(table, "script"), _paths(table, "outputs"), requirements)


def _pipeline(table: Fields) -> PipelineFiles:
    data = _paths(table, "data") if "data" in table.names() else ()
    return PipelineFiles(_path(table, "file"), data)


def _golden(table: Fields) -> Golden:
    return Golden(
        folder=_path(table, "folder") if "folder" in table.names() else None,
        rtol=table.number("rtol") if "rtol" in table.names() else _RTOL,
        atol=table.number("atol") if "atol" in table.names() else _ATOL,
    )


def _packages(table: Fields) -> Packages:
    prune = table.flag("prune") if "prune" in table.names() else True
    return Packages(_path(table, "requirements"), prune)


def _optimize_for(table: Fields) -> str:
    value = table.text("optimize_for")
    if value not in OBJECTIVES:
        known = ", ".join(OBJECTIVES)
        raise RecipeError(f"{table.where}: 'optimize_for' is {value!r}, expected one of {known}")
    return value


def _path(table: Fields, key: str) -> str:
    return check_relative_path(table.text(key))


def _paths(table: Fields, key: str) -> tuple[str, ...]:
    return tuple(check_relative_path(path) for path in table.texts(key))
