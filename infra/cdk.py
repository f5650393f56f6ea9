"""`python -m infra.cdk --stage dev deploy`: CDK's command line, on a stage's assembly.

The stage is synthesized first; CDK's command line then reads the assembly. The command line is an
npm package, in the release that fits this `aws-cdk-lib`, run by the Node of the Python package
index. Credentials and region are found as AWS's tools find them. Arguments after the verb go to
CDK: `deploy --require-approval never`, `diff`, `destroy`, `bootstrap`.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Final

from infra.errors import InfraError
from infra.node import npx_command
from infra.synth import add_options, synthesize_stage

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

PACKAGE: Final = "aws-cdk@2.1148.1"
"""Not npm's `latest`, 3.0.0, which cannot read the assemblies of aws-cdk-lib 2."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return CDK's exit code, or 1."""
    parser = argparse.ArgumentParser(prog="python -m infra.cdk", description="Run CDK on a stage.")
    add_options(parser)
    parser.add_argument(
        "verb", nargs=argparse.REMAINDER, metavar="VERB ...", help="deploy, diff, destroy, ..."
    )
    options = parser.parse_args(arguments)
    chosen = vars(options)
    verb = chosen.pop("verb")
    if not verb:
        parser.error("name a verb of CDK's: deploy, diff, destroy, bootstrap, ...")
    try:
        made = synthesize_stage(**chosen)
        command = [*npx_command(), "--yes", PACKAGE, *verb, "--app", made.out]
    except (InfraError, OSError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    sys.stderr.write(made.report())
    return run(command)


def run(command: Sequence[str | Path]) -> int:
    """Run Node's command with Node first on the path; return its exit code."""
    node_folder = os.path.dirname(command[0])  # noqa: PTH120
    path = os.pathsep.join((node_folder, os.environ.get("PATH", os.defpath)))
    return subprocess.run(command, env={**os.environ, "PATH": path}, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
