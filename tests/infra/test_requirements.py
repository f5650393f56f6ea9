from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from infra.bundling.assets import RUNTIME_LAYER, WRITER_LAYER

if TYPE_CHECKING:
    from pathlib import Path

    from infra.bundling.layer import LayerSpec


def pins(requirements: Path) -> dict[str, set[str]]:
    """Each package and its pins: one a Python that gets another version."""
    found: dict[str, set[str]] = {}
    text = requirements.read_text("utf-8")
    for name, pin in re.findall(r"(?m)^([a-z0-9-]+)==([^\\\n]+)", text):
        found.setdefault(name, set()).add(pin.strip())
    return found


@pytest.mark.parametrize("layer", [RUNTIME_LAYER, WRITER_LAYER], ids=lambda layer: layer.name)
def test_every_package_of_a_layer_is_pinned_with_hashes(layer: LayerSpec) -> None:
    text = layer.requirements.read_text("utf-8")
    blocks = re.split(r"(?m)^(?=[a-z0-9])", re.sub(r"(?m)^#.*\n", "", text))
    for block in filter(None, blocks):
        assert "==" in block
        assert "--hash=sha256:" in block


def test_the_layers_agree_on_what_both_need() -> None:
    """The writer's layer leaves out what the runtime's has, whatever the version."""
    assert WRITER_LAYER.beside == RUNTIME_LAYER.requirements
    runtime, writer = pins(RUNTIME_LAYER.requirements), pins(WRITER_LAYER.requirements)
    shared = set(runtime) & set(writer)
    assert "numpy" in shared
    assert {name: runtime[name] for name in shared} == {name: writer[name] for name in shared}
