"""Options of the verbs that show or change a store.

Each verb sets `operation`, its name in admin/operations.py; `fields`, a function that returns the
request's fields from the options; and `readable`, a function that prints the result.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from model_sync.cli import commands, print_changes, print_maintenance, print_models
from model_sync.cli.argument_types import folder, share, text, version

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    Fields = Callable[[argparse.Namespace], dict[str, Any]]
    Readable = Callable[[dict[str, Any]], None]

_MODEL: Final = ("model", {"metavar": "MODEL", "help": "the model's name"})
_VERSION: Final = (
    "version",
    {"metavar": "VERSION", "type": version, "help": "the version's number"},
)
_LABEL: Final = (
    "--label",
    {"default": "latest", "metavar": "LABEL", "help": "the label to move (default: latest)"},
)


class StoreVerbs:
    """Adds verbs to the subparsers `menu`. `common` holds the options that all verbs take."""

    def __init__(self, menu: Any, common: argparse.ArgumentParser, epilog: str) -> None:
        self._menu = menu
        self._common = common
        self._epilog = epilog

    def add_all(self) -> None:
        """Add every verb."""
        self._add_show()
        self._add_labels()
        self._add_versions()
        self._add_maintenance()

    def _add_show(self) -> None:
        show = self._add("show", "show everything about one version", readable=print_models.version)
        show.add_argument(
            "model",
            metavar="MODEL",
            help="NAME (the version that latest names), NAME@7 or NAME:label",
        )
        show.set_defaults(fields=lambda o: {"model": o.model})
        history = self._add(
            "history",
            "list a model's changes: when, by whom and why",
            readable=print_models.history,
        )
        _take(history, _MODEL)
        history.add_argument(
            "--most", type=int, default=20, metavar="N", help="number of changes (default: 20)"
        )
        history.set_defaults(fields=lambda o: {"model": o.model, "most": o.most})

    def _add_labels(self) -> None:
        promote = self._add_change("promote", "put a label on a version", print_changes.label_move)
        _take(promote, _MODEL)
        promote.add_argument(
            "version", metavar="VERSION", help="the version's number, or a label that names it"
        )
        _take(promote, _LABEL)
        promote.set_defaults(fields=_fields("model", "version", "label", "reason"))
        rollback = self._add_change(
            "rollback",
            "put a label back on the version that it named before",
            print_changes.label_move,
        )
        _take(rollback, _MODEL)
        rollback.add_argument(
            "--to",
            type=version,
            metavar="VERSION",
            help="the version to go back to (default: the one named before)",
        )
        _take(rollback, _LABEL)
        rollback.set_defaults(fields=_fields("model", "to", "label", "reason"))
        unlabel = self._add_change("unlabel", "remove a label", print_changes.label_move)
        _take(unlabel, _MODEL)
        unlabel.add_argument("label", metavar="LABEL", help="the label")
        unlabel.set_defaults(fields=_fields("model", "label", "reason"))
        split = self._add_change(
            "split", "set the shares of the calls that go to labels", print_changes.split
        )
        _take(split, _MODEL)
        split.add_argument(
            "shares",
            metavar="LABEL=PERCENT",
            nargs="*",
            type=share,
            help="share of the calls that name no version; the rest goes to latest",
        )
        split.add_argument("--none", action="store_true", help="remove the split")
        split.set_defaults(fields=_split_fields, parser=split)

    def _add_versions(self) -> None:
        retire = self._add_change(
            "retire",
            "take a version from service; it is swept a day later",
            print_changes.retirement,
        )
        _take(retire, _MODEL, _VERSION)
        retire.set_defaults(fields=_fields("model", "version", "reason"))
        delete = self._add_change(
            "delete-model",
            "take a whole model from service; it is swept a day later",
            print_changes.model_deletion,
        )
        _take(delete, _MODEL)
        delete.add_argument("--yes", action="store_true", help="do not ask for confirmation")
        delete.set_defaults(verb=commands.delete_model, fields=_fields("model", "reason"))
        hold = self._add_change(
            "hold", "keep a version from being swept, for a job", print_changes.hold
        )
        _take(hold, _MODEL, _VERSION)
        hold.add_argument("--job", required=True, metavar="JOB", help="the job's name")
        hold.add_argument(
            "--hours", type=int, default=24, metavar="N", help="duration in hours (default: 24)"
        )
        hold.set_defaults(fields=_fields("model", "version", "job", "hours", "reason"))
        release = self._add_change("release", "remove a job's hold", print_changes.release)
        _take(release, _MODEL)
        release.add_argument("job", metavar="JOB", help="the job's name")
        release.set_defaults(fields=_fields("model", "job", "reason"))
        self._add_prepare()
        settle = self._add(
            "settle",
            "finish the last change of a writer that died: make refs.json the newest generation",
            readable=print_changes.generations,
        )
        settle.add_argument(
            "model", metavar="MODEL", nargs="?", help="the model's name (default: all of them)"
        )
        settle.set_defaults(fields=_fields("model"))

    def _add_prepare(self) -> None:
        prepare = self._add_change(
            "prepare",
            "measure the variants of versions on this ONNX Runtime, and keep the best",
            print_models.preparations,
        )
        prepare.add_argument(
            "model",
            metavar="MODEL",
            help="NAME@7 or NAME:label: that version; NAME: every version in service that a label "
            "or a running hold names, the newest first",
        )
        prepare.add_argument(
            "--runtime",
            metavar="KEY",
            help="fail unless KEY is the runtime of this machine, or of the stage, as show prints "
            "it: ort-1.32.0-... (default: prepare for that runtime, whichever it is)",
        )
        prepare.add_argument(
            "--again",
            action="store_true",
            help="replace existing preparations for the runtime",
        )
        prepare.set_defaults(fields=_fields("model", "runtime", "again", "reason"))

    def _add_maintenance(self) -> None:
        sweep = self._add(
            "sweep",
            "delete versions that were retired a day ago and that nothing names, and leftovers of "
            "writers that died",
            readable=print_maintenance.sweep,
        )
        sweep.add_argument(
            "--dry-run",
            action="store_true",
            help="only print what would be deleted, and why the rest is kept",
        )
        sweep.set_defaults(fields=_fields("dry_run"))
        verify = self._add(
            "verify",
            "read every byte again and compare it with what was published",
            readable=print_maintenance.verification,
        )
        verify.add_argument(
            "model", metavar="MODEL", nargs="?", help="the model's name (default: all of them)"
        )
        verify.set_defaults(fields=_fields("model"))

        diff = self._add("diff", "compare two versions", readable=print_maintenance.difference)
        _take(diff, _MODEL)
        for name, metavar in (("one", "FROM"), ("other", "TO")):
            diff.add_argument(name, metavar=metavar, type=version, help="a version's number")
        diff.set_defaults(fields=_fields("model", "one", "other"))

        backup = self._add(
            "backup",
            "copy a store that is mounted here to a folder",
            readable=print_maintenance.backup,
        )
        backup.add_argument(
            "folder",
            metavar="FOLDER",
            type=folder,
            help="missing, empty, or an earlier backup of this store: its files are checked, and "
            "new ones are added",
        )
        backup.add_argument(
            "--trust-sizes",
            action="store_true",
            help="check the files of an earlier backup by size only: fast, but misses damage by "
            "the disk",
        )
        backup.set_defaults(
            verb=commands.backup_store,
            fields=lambda o: {"folder": str(o.folder.absolute()), "trust_sizes": o.trust_sizes},
        )
        restore = self._add(
            "restore",
            "make a store from a backup, at --store, which must be missing or empty",
            readable=print_maintenance.restore,
        )
        restore.add_argument("folder", metavar="FOLDER", type=folder, help="the backup's folder")
        restore.set_defaults(verb=commands.restore_store)

    def _add(self, operation: str, what: str, *, readable: Readable) -> argparse.ArgumentParser:
        parser: argparse.ArgumentParser = self._menu.add_parser(
            operation,
            parents=[self._common],
            help=what,
            description=f"{what[0].upper()}{what[1:]}.",
            epilog=self._epilog,
        )
        parser.set_defaults(verb=commands.operate, operation=operation, readable=readable)
        return parser

    def _add_change(self, operation: str, what: str, readable: Readable) -> argparse.ArgumentParser:
        parser = self._add(operation, what, readable=readable)
        parser.add_argument(
            "--reason", type=text, default="", help="the reason, for the model's history"
        )
        return parser


def _take(parser: argparse.ArgumentParser, *arguments: tuple[str, dict[str, Any]]) -> None:
    for name, options in arguments:
        parser.add_argument(name, **options)


def _fields(*names: str) -> Fields:
    return lambda options: {name: getattr(options, name) for name in names}


def _split_fields(options: argparse.Namespace) -> dict[str, Any]:
    if len(dict(options.shares)) < len(options.shares):
        options.parser.error("a label is named twice")
    if bool(options.shares) == options.none:
        options.parser.error("name shares as LABEL=PERCENT, or --none to remove the split")
    return {"model": options.model, "shares": dict(options.shares), "reason": options.reason}
