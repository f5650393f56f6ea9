"""What each verb of the command line does: asks the store, here or a stage's, and prints."""

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
    as_what = PublishOptions(
        options.name, options.label, options.reason, options.allow_signature_change
    )
    with _place(options) as place:
        if options.source.startswith("s3://"):
            found = place.publish_url(options.source, as_what)
        else:
            found = place.publish_folder(Path(options.source), as_what)
    changed = found.pop("changed")
    _print(options, found, lambda: print_models.published(found, changed=changed))


def list_models(options: argparse.Namespace) -> None:
    """List what is published."""
    with _place(options) as place:
        found = place.list_models()
    _print(options, found, lambda: print_models.models(found["models"], _where(options)))


def publish_packages(options: argparse.Namespace) -> None:
    """Publish a package set."""
    settings = TargetSettings.from_environ(os.environ)
    requirements, prune = options.requirements, True
    if requirements.is_dir():
        from model_sync.publishing.publish import read_packages  # noqa: PLC0415 - ONNX: half a second

        requirements, prune = read_packages(requirements)
    asked = PackageSetOptions(
        options.python or settings.python,
        options.platform,
        pruned=options.prune and prune,
        # The setting is for stores here: a stage has an interpreter of its own.
        interpreter=options.interpreter or (None if options.stage else settings.interpreter),
    )
    with _place(options) as place:
        found = place.publish_packages(requirements, asked)
    _print(options, found, lambda: print_packages.published(found))


def list_packages(options: argparse.Namespace) -> None:
    """List the package sets."""
    with _place(options) as place:
        found = place.list_packages()
    _print(options, found, lambda: print_packages.listed(found["packages"], _where(options)))


def package_constraints(options: argparse.Namespace) -> None:
    """Say what the runtime brings."""
    python = options.python or TargetSettings.from_environ(os.environ).python
    with _place(options) as place:
        found = place.constraints(python=python, platform=options.platform)
    _print(options, found, lambda: print_packages.constraints(found))


def operate(options: argparse.Namespace) -> bool:
    """Run a verb that looks at a store, or changes it; tell whether all of it went well."""
    fields = options.fields(options)
    with _place(options) as place:
        found = place.run(options.operation, fields)
    _print(options, found, lambda: options.readable(found))
    return not (found.get("problems") or found.get("failures"))


def delete_model(options: argparse.Namespace) -> bool:
    """Take a model from service, once a person has said its name, or `--yes`."""
    if not options.yes:
        if not sys.stdin.isatty():
            raise ChangeError(
                f"delete-model asks before it takes {options.model!r} from service, and nobody is "
                "there to answer: say --yes"
            )
        sys.stderr.write(
            f"Take {options.model} and all its versions from service? They are swept a day later.\n"
            "Its name, to go on: "
        )
        sys.stderr.flush()
        if sys.stdin.readline().strip() != options.model:
            raise ChangeError(f"{options.model!r} was not named: nothing has changed")
    return operate(options)


def backup_store(options: argparse.Namespace) -> bool:
    """Copy a store to a folder; refused for a stage before that is looked for."""
    if options.stage is not None:
        raise not_for_stages("backup")
    return operate(options)


def restore_store(options: argparse.Namespace) -> None:
    """Make a store of a backup, where there is none yet."""
    if options.stage is not None:
        raise StageError(
            "restore makes a store that is mounted here: a stage's file system is restored by "
            "AWS Backup"
        )
    from model_sync.backup.restore import restore  # noqa: PLC0415 - only where it is needed

    with _progress(options) as progress:
        found = restore(options.folder, options.store, progress)
    _print(options, found, lambda: options.readable(found))


@contextlib.contextmanager
def _place(options: argparse.Namespace) -> Iterator[StoreClient]:
    """The store that the options name, and progress while it is worked with."""
    with _progress(options) as progress:
        if options.stage is not None:  # an empty name is a mistake, not this machine
            from model_sync.stage.client import StageStore  # noqa: PLC0415 - AWS's SDK: a third of a second
            from model_sync.stage.stack import find_stage  # noqa: PLC0415

            yield StageStore(find_stage(options.stage), progress)
        else:
            from model_sync.cli.local_store import LocalStore  # noqa: PLC0415 - only where it is needed

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


def _where(options: argparse.Namespace) -> str:
    return str(options.store) if options.stage is None else f"stage {options.stage}"


def _print(
    options: argparse.Namespace, found: dict[str, Any], readable: Callable[[], None]
) -> None:
    if options.json:
        sys.stdout.write(json.dumps(found) + "\n")
    else:
        readable()
    if "unsettled" in found:
        sys.stderr.write(f"warning: {found['unsettled']}\n")
