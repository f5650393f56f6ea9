"""The publisher's command line: `python -m model_sync publish | list | packages`.

What a command found goes to stdout (with `--json`, as one object), everything else to stderr.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from model_store.errors import StoreError, StoreUnreachableError
from model_store.layout import StoreLayout
from model_store.reading import read_store_id
from model_sync.errors import SyncError
from model_sync.listing import list_published
from model_sync.progress import Bar, Silent, lines_on_stderr, readable_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from model_sync.progress import Progress

DONE, FAILED, UNREACHABLE, INTERRUPTED = 0, 1, 3, 130

_EPILOG: Final = (
    "Exit codes: 0 done or unchanged, 1 refused or failed, 2 usage, "
    "3 the store cannot be reached, 130 interrupted."
)


def main(arguments: list[str] | None = None) -> int:
    """Run one verb and return its exit code."""
    options = _parser().parse_args(arguments)
    try:
        options.verb(options)
    except KeyboardInterrupt:
        return _fail(options, KeyboardInterrupt("interrupted"), "interrupted", INTERRUPTED)
    except Exception as error:
        code = UNREACHABLE if isinstance(error, StoreUnreachableError) else FAILED
        return _fail(options, error, _named(error), code)
    return DONE


def _named(error: Exception) -> str:
    """What `--json` calls an error."""
    match error:
        case SyncError():
            return error.code
        case StoreUnreachableError():
            return "unreachable"
        case StoreError():
            return "store"
        case OSError():
            return "system"
        case _:
            return "internal"


def _publish(options: argparse.Namespace) -> None:
    from model_sync.publish import publish  # noqa: PLC0415 - it imports ONNX Runtime: half a second

    with _progress(options) as progress:
        published = publish(
            options.folder,
            options.store,
            progress=progress,
            name=options.name,
            reason=options.reason,
        )
    found = asdict(published)
    changed = found.pop("changed")
    if options.json:
        _print(json.dumps(found))
        return
    what = "published" if published.created else "updated" if changed else "unchanged:"
    labels = ", ".join(published.labels)
    _print(f"{what} {published.model} version {published.version} ({labels})")


def _list(options: argparse.Namespace) -> None:
    found = list_published(StoreLayout(options.store))
    if options.json:
        _print(json.dumps(found))
    elif not found["models"]:
        _print(f"nothing is published in {options.store}")
    else:
        _print_table(found["models"])


def _publish_packages(options: argparse.Namespace) -> None:
    from model_sync.creation import open_store  # noqa: PLC0415 - as above
    from model_sync.packages import (  # noqa: PLC0415
        describe_packages,
        publish_packages,
        running_target,
    )

    running = running_target()
    target = running._replace(
        python=options.python or running.python, platform=options.platform or running.platform
    )
    layout = open_store(options.store)
    with _progress(options) as progress:
        manifest, created = publish_packages(options.requirements, layout, target, progress)
    if options.json:
        _print(json.dumps({**describe_packages(manifest), "created": created}))
        return
    what = "published" if created else "unchanged:"
    size = readable_bytes(manifest.size_bytes)
    _print(f"{what} {manifest.digest} ({len(manifest.wheels)} packages, {size})")


def _list_packages(options: argparse.Namespace) -> None:
    from model_sync.packages import list_packages  # noqa: PLC0415 - as above

    layout = StoreLayout(options.store)
    read_store_id(layout)
    found = list_packages(layout)
    if options.json:
        _print(json.dumps({"packages": found}))
        return
    for each in found:
        names = ", ".join(f"{name} {version}" for name, version in each["packages"].items())
        size = readable_bytes(each["size_bytes"])
        _print(f"{each['digest']}  Python {each['target']['python']}  {size}  {names}")
    if not found:
        _print(f"no package set is published in {options.store}")


def _print_table(models: list[dict[str, Any]]) -> None:
    from rich.console import Console  # noqa: PLC0415 - only a table needs it
    from rich.table import Table  # noqa: PLC0415

    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("MODEL", "VERSION", "LABELS", "STATE", "SIZE", "PUBLISHED"):
        table.add_column(heading, justify="right" if heading in {"VERSION", "SIZE"} else "left")
    for model in models:
        for version in reversed(model["versions"]):
            number = version["version"]
            labels = [label for label, named in model["labels"].items() if named == number]
            table.add_row(
                model["name"],
                str(number),
                ", ".join(labels),
                version["state"],
                readable_bytes(version["size_bytes"]),
                version["published_at"],
            )
    # In a pipe nobody knows the width: rather long lines than cut ones.
    Console(width=None if sys.stdout.isatty() else 200).print(table)


@contextlib.contextmanager
def _progress(options: argparse.Namespace) -> Iterator[Progress]:
    if options.quiet:
        yield Silent()
    elif sys.stderr.isatty():
        with Bar() as bar:
            yield bar
    else:
        yield lines_on_stderr()


def _print(line: str) -> None:
    sys.stdout.write(line + "\n")


def _fail(options: argparse.Namespace, error: BaseException, code: str, exit_code: int) -> int:
    if options.debug:
        raise error
    if options.json:
        _print(json.dumps({"error": {"code": code, "message": str(error)}}))
    else:
        sys.stderr.write(f"error: {error}\n")
    return exit_code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m model_sync", description="Publish models into a store.", epilog=_EPILOG
    )
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "--store",
        type=Path,
        metavar="DIR",
        default=Path(os.environ.get("STORE_PATH") or ".store"),
        help="the store's root (default: $STORE_PATH, else .store)",
    )
    common.add_argument("--json", action="store_true", help="print one JSON object on stdout")
    common.add_argument("--quiet", action="store_true", help="show no progress")
    common.add_argument("--debug", action="store_true", help="show tracebacks")
    verbs = parser.add_subparsers(title="verbs", required=True, metavar="VERB")

    publish = verbs.add_parser(
        "publish",
        parents=[common],
        help="publish a model's folder as a version",
        description="Publish a model's folder: check it, try it, and make it the version that "
        "the label 'latest' names. The same contents again are the same version. "
        "The store is made if it is not there yet.",
        epilog=_EPILOG,
    )
    publish.add_argument(
        "folder", type=Path, metavar="FOLDER", help="holds model.toml, or one .onnx"
    )
    publish.add_argument(
        "--name", help="the model's name (default: model.toml's, else the folder's)"
    )
    publish.add_argument("--reason", type=_text, default="", help="why, for the model's history")
    publish.set_defaults(verb=_publish)

    listing = verbs.add_parser(
        "list",
        parents=[common],
        help="what is published, as a table",
        description="List every model with its versions and labels.",
        epilog=_EPILOG,
    )
    listing.set_defaults(verb=_list)
    _add_packages(verbs, common)
    return parser


def _text(argument: str) -> str:
    try:
        argument.encode()
    except UnicodeEncodeError:
        raise argparse.ArgumentTypeError(f"{argument!r} is not UTF-8 text") from None
    return argument


def _add_packages(verbs: Any, common: argparse.ArgumentParser) -> None:
    packages = verbs.add_parser(
        "packages",
        help="sets of Python packages",
        description="Publish and list package sets: immutable trees of Python packages.",
        epilog=_EPILOG,
    )
    inner = packages.add_subparsers(title="verbs", required=True, metavar="VERB")
    publish = inner.add_parser(
        "publish",
        parents=[common],
        help="publish the set that a requirements file pins",
        description="Download the wheels that a requirements file pins with hashes, and publish "
        "them as a set. The same wheels for the same target are the same set.",
        epilog=_EPILOG,
    )
    publish.add_argument("requirements", type=Path, metavar="FILE", help="pinned, with hashes")
    publish.add_argument("--python", metavar="X.Y", help="the target's Python (default: this one)")
    publish.add_argument(
        "--platform", help="the target, like x86_64-manylinux_2_28 (default: this machine's)"
    )
    publish.set_defaults(verb=_publish_packages)
    listing = inner.add_parser(
        "list",
        parents=[common],
        help="the sets in a store",
        description="List the package sets in a store.",
        epilog=_EPILOG,
    )
    listing.set_defaults(verb=_list_packages)


if __name__ == "__main__":
    sys.exit(main())
