"""`python -m infra.synth --stage dev`: one stage's CloudFormation template.

Needs no account, no credentials and no container; a package registry only for layers that are not
built yet. The result, in `--out`, is a cloud assembly, which `infra.cdk` deploys.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from infra.bundling.assets import CACHE, build_assets
from infra.bundling.bytecode import find_interpreter
from infra.bundling.cached_folder import in_mib
from infra.bundling.function_code import REPOSITORY
from infra.bundling.layer import LIMIT_BYTES
from infra.errors import InfraError, SynthError
from infra.node import use_node
from infra.settings import read_stage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from infra.bundling.bytecode import Interpreter
    from infra.settings import Target

OUT: Final = REPOSITORY / ".cache" / "cdk"


@dataclass(frozen=True, slots=True)
class Synthesized:
    """A synthesized stage: the assembly's folder, its template, and notes to print."""

    out: Path
    template: Path
    notes: tuple[str, ...]

    def report(self) -> str:
        """Return the notes and the number of resources, one line each."""
        resources = len(json.loads(self.template.read_text("utf-8"))["Resources"])
        made = f"{self.template}: {resources} resources, no unexplained finding"
        return "".join(f"{line}\n" for line in (*self.notes, made))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m infra.synth", description="Make a template.")
    add_options(parser)
    options = parser.parse_args(arguments)
    try:
        made = synthesize_stage(**vars(options))
    except (InfraError, OSError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    sys.stdout.write(made.report())
    return 0


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that select a stage and control its build."""
    parser.add_argument("--stage", required=True, help="a file in infra/stages/, without .toml")
    parser.add_argument(
        "--python", metavar="X.Y", help="build for this Python instead of the stage's"
    )
    parser.add_argument(
        "--interpreter",
        type=Path,
        metavar="PATH",
        help="compile with this interpreter, of the target's Python (default: search for one)",
    )
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="folder for the assembly (.cache/cdk/STAGE)"
    )


def synthesize_stage(
    stage: str,
    *,
    python: str | None = None,
    interpreter: Path | None = None,
    out: Path | None = None,
) -> Synthesized:
    """Build the uploads of a stage and write its assembly; raises InfraError."""
    settings = read_stage(stage)
    if python:
        settings = settings.for_python(python)
    target = settings.target
    compiler = find_interpreter(target.python, interpreter)
    assets = build_assets(target, CACHE, compiler)
    sizes = assets.unzipped_bytes()
    out = out or OUT / stage
    _empty(out)
    use_node()
    # Imported here: the import starts Node for seconds, and wrong settings are refused first.
    from infra.app import synthesize  # noqa: PLC0415

    template = synthesize(settings, assets, out)
    notes = (
        f"for Python {target.python} on {target.platform}",
        _bytecode(target, compiler),
        *(f"{name}: {in_mib(built.size_bytes)}" for name, built in assets.layers().items()),
        *(
            f"{function} function: {in_mib(size)} unzipped of {in_mib(LIMIT_BYTES)}"
            for function, size in sizes.items()
        ),
    )
    return Synthesized(out, template, notes)


def _bytecode(target: Target, compiler: Interpreter | None) -> str:
    if compiler:
        return f"bytecode by {compiler.path}"
    return (
        f"no bytecode, so slower cold starts: no Python {target.python} is here to compile it "
        "(--interpreter names one)"
    )


def _empty(out: Path) -> None:
    """Empty the folder, so that no upload of an earlier assembly is left in it."""
    if out.is_dir() and any(out.iterdir()) and not (out / "cdk.out").is_file():
        raise SynthError(f"{out} holds no cloud assembly but other files: name another --out")
    try:
        if out.exists():
            shutil.rmtree(out)
        out.mkdir(parents=True)
    except OSError as error:
        raise SynthError(f"{out} cannot be written: {error}") from error


if __name__ == "__main__":
    sys.exit(main())
