"""Stages synthesized once a session, with stand-ins for nothing but the layers' bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from infra.bundling.assets import Assets
from infra.bundling.cached_folder import Built
from infra.bundling.function_code import READER_ROOMS, WRITER_ROOMS, gather_code
from infra.node import use_node
from infra.settings import read_stage
from tests.infra.templates import Resources

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from infra.settings import StageSettings

    Synthesize = Callable[[StageSettings], Path]

# Before a test module of this folder imports aws_cdk, which starts Node.
use_node()


@pytest.fixture(scope="session")
def assets(tmp_path_factory: pytest.TempPathFactory) -> Assets:
    """Code of the functions, and layers with one file each: 200 MB of wheels would test nothing.

    Real layers have their own tests; test_synth_for_real.py synthesizes with real layers.
    """
    folder = tmp_path_factory.mktemp("assets")
    layers = {}
    for name in ("runtime", "writer"):
        (folder / name / "python").mkdir(parents=True)
        (folder / name / "python" / f"{name}.py").write_text(f"stands_in_for = {name!r}\n")
        layers[name] = Built.at(folder / name)
    return Assets(
        runtime=layers["runtime"],
        writer=layers["writer"],
        reader_code=gather_code(READER_ROOMS, folder, None),
        writer_code=gather_code(WRITER_ROOMS, folder, None),
    )


@pytest.fixture(scope="session")
def synthesize_with_stand_ins(
    assets: Assets, tmp_path_factory: pytest.TempPathFactory
) -> Synthesize:
    """Synthesize a stage into a folder of its own; the template's path."""

    def synthesize_stage(settings: StageSettings) -> Path:
        # Importing it takes seconds, which other tests' collection need not wait for.
        from infra.app import synthesize  # noqa: PLC0415

        return synthesize(settings, assets, tmp_path_factory.mktemp(settings.stage))

    return synthesize_stage


@pytest.fixture(scope="session")
def dev_template(synthesize_with_stand_ins: Synthesize) -> Path:
    return synthesize_with_stand_ins(read_stage("dev"))


@pytest.fixture(scope="session")
def prod_template(synthesize_with_stand_ins: Synthesize) -> Path:
    return synthesize_with_stand_ins(read_stage("prod"))


@pytest.fixture(params=["dev", "prod"])
def settings(request: pytest.FixtureRequest) -> StageSettings:
    """Each stage's settings; `resources` is then that stage's."""
    return read_stage(request.param)


@pytest.fixture
def resources(settings: StageSettings, request: pytest.FixtureRequest) -> Resources:
    """Resources in the stage's template."""
    path: Path = request.getfixturevalue(f"{settings.stage}_template")
    return Resources.of_file(path)
