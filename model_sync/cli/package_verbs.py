"""Options of `packages VERB`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from model_sync.cli import commands, print_packages
from model_sync.cli.argument_types import file, python

if TYPE_CHECKING:
    import argparse


def add_packages(menu: Any, common: argparse.ArgumentParser, epilog: str) -> None:
    """Add `packages` to the subparsers `menu`. `common` holds the options that all verbs take."""
    packages = menu.add_parser(
        "packages",
        help="publish and list sets of Python packages",
        description="Publish and list package sets: immutable trees of Python packages.",
        epilog=epilog,
    )
    verbs_of = packages.add_subparsers(title="verbs", required=True, metavar="VERB")

    def add(name: str, what: str, description: str, verb: Any) -> argparse.ArgumentParser:
        parser: argparse.ArgumentParser = verbs_of.add_parser(
            name, parents=[common], help=what, description=description, epilog=epilog
        )
        parser.set_defaults(verb=verb)
        return parser

    publish = add(
        "publish",
        "publish the set that a requirements file pins",
        "Download the wheels that a requirements file pins with hashes, and publish them as a "
        "set. The same wheels for the same target make the same set.",
        commands.publish_packages,
    )
    publish.add_argument(
        "requirements",
        type=file,
        metavar="FILE",
        help="pinned requirements with hashes; or a model's folder, whose model.toml names them",
    )
    publish.add_argument(
        "--no-prune",
        dest="prune",
        action="store_false",
        help="keep files that a server never needs: tests, headers, stubs, static libraries",
    )
    _add_target(publish)
    publish.add_argument(
        "--interpreter",
        type=Path,
        metavar="PATH",
        help="the Python that compiles the set, of the target's version (default: "
        "$TARGET_INTERPRETER, else pythonX.Y on the PATH; a stage has its own)",
    )
    add(
        "list",
        "list the sets in a store",
        "List the package sets in a store.",
        commands.list_packages,
    )
    show = add(
        "show",
        "show everything about one set",
        "Show one package set: its packages, and the versions of models that pin it.",
        commands.operate,
    )
    show.add_argument(
        "digest", metavar="DIGEST", help="the set's digest, or an unambiguous prefix of it"
    )
    show.set_defaults(
        operation="show-packages",
        fields=lambda options: {"digest": options.digest},
        readable=print_packages.package_set,
    )
    constraints = add(
        "constraints",
        "print the package versions that the runtime brings",
        "Print the packages that the runtime brings, as a constraints file: `uv pip compile "
        "--constraint FILE` then pins no version for which a set is refused.",
        commands.package_constraints,
    )
    _add_target(constraints)


def _add_target(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--python",
        type=python,
        metavar="X.Y",
        help="the target's Python (default: $TARGET_PYTHON, else this Python, or the stage's)",
    )
    parser.add_argument(
        "--platform",
        help="the target's platform, like x86_64-manylinux_2_28 (default: this machine's, or the "
        "stage's)",
    )
