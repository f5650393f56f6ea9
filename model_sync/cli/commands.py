"""Verbs of the command line: call a store client, then print its result."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from model_sync.cli import print_models, print_packages
from model_sync.cli.argument_types import TargetSettings
from model_sync.errors import ChangeError, StageError
from model_sync.progress import Bar, Silent, lines_on_stderr
from model_sync.store_client import PackageSetOptions, PublishOptions, not_for_stages

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator

    from model_sync.progress import Progress
    from model_sync.store_client import StoreClient


def publish(options: argparse.Namespace) -> None:
    """Publish a model."""
    publish_options = PublishOptions(
        options.name, options.label, options.reason, options.allow_signature_change
    )
    with _store_client(options) as store:
        if options.source.startswith("s3://"):
            result = store.publish_url(options.source, publish_options)
        else:
            result = store.publish_folder(Path(options.source), publish_options)
    changed = result.pop("changed")
    _print(options, result, lambda: print_models.publication(result, changed=changed))


def list_models(options: argparse.Namespace) -> None:
    """List the published models."""
    with _store_client(options) as store:
        result = store.list_models()
    _print(
        options, result, lambda: print_models.model_table(result["models"], _store_name(options))
    )


def publish_packages(options: argparse.Namespace) -> None:
    """Publish a package set."""
    settings = TargetSettings.from_environ(os.environ)
    requirements, prune = options.requirements, True
    if requirements.is_dir():
        from model_sync.publishing.publish import read_packages  # noqa: PLC0415 - ONNX: half a second

        requirements, prune = read_packages(requirements)
    set_options = PackageSetOptions(
        options.python or settings.python,
        options.platform,
        pruned=options.prune and prune,
        # The setting is for stores on this machine: a stage has its own interpreter.
        interpreter=options.interpreter or (None if options.stage else settings.interpreter),
    )
    with _store_client(options) as store:
        result = store.publish_packages(requirements, set_options)
    _print(options, result, lambda: print_packages.publication(result))


def list_packages(options: argparse.Namespace) -> None:
    """List the package sets."""
    with _store_client(options) as store:
        result = store.list_packages()
    _print(
        options, result, lambda: print_packages.set_table(result["packages"], _store_name(options))
    )


def package_constraints(options: argparse.Namespace) -> None:
    """Print the packages that the runtime brings."""
    python = options.python or TargetSettings.from_environ(os.environ).python
    with _store_client(options) as store:
        result = store.constraints(python=python, platform=options.platform)
    _print(options, result, lambda: print_packages.constraints(result))


def operate(options: argparse.Namespace) -> bool:
    """Run an operation on a store; return True if no part of it failed."""
    fields = options.fields(options)
    with _store_client(options) as store:
        result = store.run(options.operation, fields)
    _print(options, result, lambda: options.readable(result))
    return not (result.get("problems") or result.get("failures"))


def delete_model(options: argparse.Namespace) -> bool:
    """Take a model from service, after a person has typed its name, or with `--yes`."""
    if not options.yes:
        if not sys.stdin.isatty():
            raise ChangeError(
                f"delete-model asks for confirmation before it takes {options.model!r} from "
                "service, and stdin is not a terminal: say --yes"
            )
        sys.stderr.write(
            f"Take {options.model} and all its versions from service? They are swept a day later.\n"
            "Type its name to confirm: "
        )
        sys.stderr.flush()
        if sys.stdin.readline().strip() != options.model:
            raise ChangeError(f"the name typed is not {options.model!r}: nothing has changed")
    return operate(options)


def backup_store(options: argparse.Namespace) -> bool:
    """Copy a store to a folder. A stage is refused before it is looked up."""
    if options.stage is not None:
        raise not_for_stages("backup")
    return operate(options)


def restore_store(options: argparse.Namespace) -> None:
    """Make a store from a backup, at a root that is missing or empty."""
    if options.stage is not None:
        raise StageError(
            "restore makes a store that is mounted here: a stage's file system is restored by "
            "AWS Backup"
        )
    from model_sync.backup.restore import restore  # noqa: PLC0415 - needed here only

    with _progress(options) as progress:
        result = restore(options.folder, options.store, progress)
    _print(options, result, lambda: options.readable(result))


@contextlib.contextmanager
def _store_client(options: argparse.Namespace) -> Iterator[StoreClient]:
    """Yield a client of the store that the options name, and show its progress."""
    with _progress(options) as progress:
        if options.stage is not None:  # an empty name is an error, not this machine
            from model_sync.stage.client import StageStore  # noqa: PLC0415 - AWS's SDK: a third of a second
            from model_sync.stage.stack import find_stage  # noqa: PLC0415

            yield StageStore(find_stage(options.stage), progress)
        else:
            from model_sync.cli.local_store import LocalStore  # noqa: PLC0415 - needed here only

            yield LocalStore(options.store, progress)


@contextlib.contextmanager
def _progress(options: argparse.Namespace) -> Iterator[Progress]:
    if options.quiet:
        yield Silent()
    elif sys.stderr.isatty():
        with Bar() as bar:
            yield bar
    else:
        yield lines_on_stderr()


def _store_name(options: argparse.Namespace) -> str:
    return str(options.store) if options.stage is None else f"stage {options.stage}"


def _print(
    options: argparse.Namespace, result: dict[str, Any], readable: Callable[[], None]
) -> None:
    if options.json:
        sys.stdout.write(json.dumps(result) + "\n")
    else:
        readable()
    if "unsettled" in result:
        sys.stderr.write(f"warning: {result['unsettled']}\n")
