"""Parser of the command line: verbs, options, help."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any, Final

from model_sync.cli import commands
from model_sync.cli.argument_types import folder, text
from model_sync.cli.package_verbs import add_packages
from model_sync.cli.store_verbs import StoreVerbs

_EPILOG: Final = (
    "Exit codes: 0 done or unchanged, 1 refused or failed, 2 usage, "
    "3 the store cannot be reached, 130 interrupted."
)


def make_parser() -> argparse.ArgumentParser:
    """Return the parser. Parsed options hold the verb's function as `verb`."""
    parser = argparse.ArgumentParser(
        prog="python -m model_sync",
        description="Publish models to a store on this machine, or to a deployed stage.",
        epilog=_EPILOG,
    )
    common = _common()
    inner = parser.add_subparsers(title="verbs", required=True, metavar="VERB")
    _add_publish(inner, common)
    listing = inner.add_parser(
        "list",
        parents=[common],
        help="list the published models",
        description="List every model with its versions and labels.",
        epilog=_EPILOG,
    )
    listing.set_defaults(verb=commands.list_models)
    StoreVerbs(inner, common, _EPILOG).add_all()
    add_packages(inner, common, _EPILOG)
    return parser


def _common() -> argparse.ArgumentParser:
    common = argparse.ArgumentParser(add_help=False)
    where = common.add_mutually_exclusive_group()
    where.add_argument(
        "--store",
        type=folder,
        metavar="DIR",
        default=Path(os.environ.get("STORE_PATH") or ".store"),
        help="the store's root (default: $STORE_PATH, else .store)",
    )
    where.add_argument(
        "--stage",
        metavar="NAME",
        help="the store of a deployed stage, through its sync function; account and region as "
        "for AWS's own tools",
    )
    common.add_argument("--json", action="store_true", help="print one JSON object on stdout")
    common.add_argument("--quiet", action="store_true", help="show no progress")
    common.add_argument("--debug", action="store_true", help="show tracebacks")
    return common


def _add_publish(inner: Any, common: argparse.ArgumentParser) -> None:
    publish = inner.add_parser(
        "publish",
        parents=[common],
        help="publish a model's folder as a version",
        description="Publish a model's folder: check it, try it, and move the label 'latest' to "
        "the new version. The same contents again are the same version. "
        "A missing store on this machine is created. For a stage, the files that its bucket lacks "
        "are uploaded, and its sync function publishes them.",
        epilog=_EPILOG,
    )
    publish.add_argument(
        "source",
        metavar="FOLDER",
        help="a folder with model.toml or one .onnx file, or s3://BUCKET/PREFIX/ with such files",
    )
    publish.add_argument(
        "--name", help="the model's name (default: model.toml's, else the folder's)"
    )
    publish.add_argument(
        "--label", default="latest", help="the label to move to the version (default: latest)"
    )
    publish.add_argument(
        "--allow-signature-change",
        action="store_true",
        help="publish even if the new signature breaks callers of the version that the label names",
    )
    publish.add_argument(
        "--reason", type=text, default="", help="the reason, for the model's history"
    )
    publish.set_defaults(verb=commands.publish)
