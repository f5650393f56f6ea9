"""All uploads: two layers, and the code of the readers and of the writer.

| function | layers | code |
|---|---|---|
| predict | runtime | reader |
| batch | runtime, writer (boto3, for S3) | reader |
| sync | runtime, writer | writer |
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from infra.bundling.function_code import READER_ROOMS, REPOSITORY, WRITER_ROOMS, gather_code
from infra.bundling.layer import LayerSpec, build_layer, check_fits

if TYPE_CHECKING:
    from pathlib import Path

    from infra.bundling.bytecode import Interpreter
    from infra.bundling.cached_folder import Built
    from infra.settings import Target

CACHE: Final = REPOSITORY / ".cache" / "assets"

_REQUIREMENTS: Final = REPOSITORY / "requirements"
RUNTIME_LAYER: Final = LayerSpec(
    name="runtime", requirements=REPOSITORY / "model_sync" / "package_sets" / "runtime_packages.txt"
)
WRITER_LAYER: Final = LayerSpec(
    name="writer",
    requirements=_REQUIREMENTS / "writer.txt",
    beside=RUNTIME_LAYER.requirements,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Assets:
    """The folders that are uploaded."""

    runtime: Built
    writer: Built
    reader_code: Built
    writer_code: Built

    def layers(self) -> dict[str, Built]:
        """Return the layers by their names in messages."""
        return {"runtime layer": self.runtime, "writer layer": self.writer}

    def unzipped_bytes(self) -> dict[str, int]:
        """Return each function's unzipped size; raises BuildError if Lambda would refuse one."""
        of_each = {
            "predict": {"runtime layer": self.runtime, "code": self.reader_code},
            "batch": {**self.layers(), "code": self.reader_code},
            "sync": {**self.layers(), "code": self.writer_code},
        }
        return {function: check_fits(function, parts) for function, parts in of_each.items()}


def build_assets(target: Target, cache: Path, interpreter: Interpreter | None) -> Assets:
    """Build uploads that are not cached; raises BuildError. Needs a package registry, once."""
    return Assets(
        runtime=build_layer(RUNTIME_LAYER, target, cache, interpreter),
        writer=build_layer(WRITER_LAYER, target, cache, interpreter),
        reader_code=gather_code(READER_ROOMS, cache, interpreter),
        writer_code=gather_code(WRITER_ROOMS, cache, interpreter),
    )
