"""Build a Lambda layer from pinned requirements: wheels only, hashes checked, no container.

1. `uv` installs into a new folder for the target's Python and platform.
2. Scripts are removed: they name this machine's interpreter.
3. Modules are compiled, if the target's Python is installed here (bytecode.py).
4. The folder appears in the cache by one rename, under a key made of all its inputs.

Two builds of the same inputs give the same bytes; CDK uploads a layer again only when its inputs
changed. Lambda's limit is checked where the layers of a function are added up (`check_fits`).
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from infra.bundling.bytecode import compile_tree
from infra.bundling.cached_folder import Built, in_mib, put_in_place
from infra.errors import BuildError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from infra.bundling.bytecode import Interpreter
    from infra.settings import Target

LIMIT_BYTES: Final = 250 << 20
"""Lambda's limit for a function's code and layers together, unzipped."""

_ON_LAMBDA: Final = "/opt/python"
_HOW: Final = "1"
"""Raise when this module builds differently from the same requirements."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerSpec:
    """Contents of a layer. `beside`: requirements of another layer that is always present, too."""

    name: str
    requirements: Path
    beside: Path | None = None


def build_layer(
    spec: LayerSpec, target: Target, cache: Path, interpreter: Interpreter | None
) -> Built:
    """Build a layer, or find it in the cache; raises BuildError in one line.

    Needs a package registry unless the layer, or all its wheels, are cached.
    """
    folder = cache / f"{spec.name}-{_key(spec, target, interpreter)}"
    if not folder.is_dir():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as temporary:
            packages = Path(temporary) / "layer" / "python"
            _install(spec, target, packages)
            _take_out_scripts(packages)
            if interpreter:
                compile_tree(packages, interpreter, shown_as=_ON_LAMBDA)
            put_in_place(packages.parent, folder)
    return Built.at(folder)


def check_fits(function: str, parts: Mapping[str, Built]) -> int:
    """Return a function's unzipped size; raises BuildError if Lambda would refuse it."""
    total = sum(part.size_bytes for part in parts.values())
    if total > LIMIT_BYTES:
        each = ", ".join(f"{name} {in_mib(part.size_bytes)}" for name, part in parts.items())
        raise BuildError(
            f"the {function} function is {in_mib(total)} unzipped ({each}), and Lambda takes "
            f"{in_mib(LIMIT_BYTES)}: take packages out, or publish them as a package set"
        )
    return total


def _key(spec: LayerSpec, target: Target, interpreter: Interpreter | None) -> str:
    digest = hashlib.sha256()
    parts = (_HOW, target.python, target.platform, interpreter.magic if interpreter else "")
    for part in (*parts, _read(spec.requirements), _read(spec.beside) if spec.beside else ""):
        digest.update(f"{len(part)}:{part}".encode())
    return digest.hexdigest()[:16]


def _read(requirements: Path) -> str:
    try:
        return requirements.read_text("utf-8")
    except OSError as error:
        raise BuildError(f"{requirements} cannot be read: {error}") from error


def _install(spec: LayerSpec, target: Target, packages: Path) -> None:
    command: list[str | Path] = [
        *(_uv(), "pip", "install", "--quiet", "--no-progress", "--link-mode", "copy"),
        *("--require-hashes", "--only-binary", ":all:"),
        *("--python-platform", target.platform, "--python-version", target.python),
        *("--target", packages, "--requirements", spec.requirements),
    ]
    if spec.beside:
        command += ["--excludes", spec.beside]
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode:
        raise BuildError(f"{spec.requirements}: no layer for {_described(target)}: {_why(done)}")


def _uv() -> str:
    beside = Path(sys.executable).parent / "uv"
    found = str(beside) if beside.is_file() else shutil.which("uv")
    if not found:
        raise BuildError("uv is missing: install requirements/infra.txt")
    return found


def _why(done: subprocess.CompletedProcess[str]) -> str:
    lines = [line.strip() for line in done.stderr.splitlines()]
    # uv prints "error: ...", then "cause: ..." lines, outermost first, then a mismatch's digests.
    said = [line.split(": ", 1)[1] for line in lines if line.startswith(("error: ", "cause: "))]
    return ": ".join(said) or f"uv ended with exit code {done.returncode}"


def _described(target: Target) -> str:
    return f"Python {target.python} on {target.platform}"


def _take_out_scripts(packages: Path) -> None:
    (packages / ".lock").unlink(missing_ok=True)
    shutil.rmtree(packages / "bin", ignore_errors=True)
    for record in packages.glob("*.dist-info/RECORD"):
        lines = record.read_text("utf-8").splitlines(keepends=True)
        kept = "".join(line for line in lines if not line.startswith("bin/"))
        record.write_text(kept, "utf-8")
