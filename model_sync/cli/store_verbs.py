"""The options of the verbs that look at a store or change it, and how they become what is asked.

Each verb sets `operation` (its name in admin/operations.py), `fields` (its options as fields, request_fields.py)
and `readable` (how what it found is printed).
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
    """Adds verbs to the menu. `common` holds the options that all of them take."""

    def __init__(self, menu: Any, common: argparse.ArgumentParser, epilog: str) -> None:
        self._menu = menu
        self._common = common
        self._epilog = epilog

    def add_all(self) -> None:
        """Add every verb."""
        self._add_looking()
        self._add_labels()
        self._add_versions()
        self._add_upkeep()

    def _add_looking(self) -> None:
        show = self._add("show", "everything about one version", readable=print_models.shown)
        show.add_argument(
            "model", metavar="MODEL", help="NAME (what latest names), NAME@7 or NAME:label"
        )
        show.set_defaults(fields=lambda o: {"model": o.model})
        history = self._add(
            "history", "who changed what of a model, and why", readable=print_models.history
        )
        _take(history, _MODEL)
        history.add_argument(
            "--most", type=int, default=20, metavar="N", help="how many changes (default: 20)"
        )
        history.set_defaults(fields=lambda o: {"model": o.model, "most": o.most})

    def _add_labels(self) -> None:
        promote = self._add_change("promote", "put a label on a version", print_changes.moved)
        _take(promote, _MODEL)
        promote.add_argument(
            "version", metavar="VERSION", help="its number, or a label that names it"
        )
        _take(promote, _LABEL)
        promote.set_defaults(fields=_fields("model", "version", "label", "reason"))
        rollback = self._add_change(
            "rollback", "put a label back on what it named before", print_changes.moved
        )
        _take(rollback, _MODEL)
        rollback.add_argument(
            "--to", type=version, metavar="VERSION", help="this version instead of the one before"
        )
        _take(rollback, _LABEL)
        rollback.set_defaults(fields=_fields("model", "to", "label", "reason"))
        unlabel = self._add_change("unlabel", "take a label away", print_changes.moved)
        _take(unlabel, _MODEL)
        unlabel.add_argument("label", metavar="LABEL", help="the label")
        unlabel.set_defaults(fields=_fields("model", "label", "reason"))
        split = self._add_change(
            "split", "give labels their shares of the calls", print_changes.split
        )
        _take(split, _MODEL)
        split.add_argument(
            "shares",
            metavar="LABEL=PERCENT",
            nargs="*",
            type=share,
            help="what calls without a version go to; the rest goes to latest",
        )
        split.add_argument("--none", action="store_true", help="take the split away")
        split.set_defaults(fields=_split_fields, parser=split)

    def _add_versions(self) -> None:
        retire = self._add_change(
            "retire", "take a version from service; swept a day later", print_changes.retired
        )
        _take(retire, _MODEL, _VERSION)
        retire.set_defaults(fields=_fields("model", "version", "reason"))
        delete = self._add_change(
            "delete-model",
            "take a whole model from service; swept a day later",
            print_changes.model_deleted,
        )
        _take(delete, _MODEL)
        delete.add_argument("--yes", action="store_true", help="do not ask")
        delete.set_defaults(verb=commands.delete_model, fields=_fields("model", "reason"))
        hold = self._add_change(
            "hold", "keep a version from being swept, for a job", print_changes.held
        )
        _take(hold, _MODEL, _VERSION)
        hold.add_argument("--job", required=True, metavar="JOB", help="in whose name")
        hold.add_argument(
            "--hours", type=int, default=24, metavar="N", help="for how long (default: 24)"
        )
        hold.set_defaults(fields=_fields("model", "version", "job", "hours", "reason"))
        release = self._add_change("release", "take a job's hold away", print_changes.released)
        _take(release, _MODEL)
        release.add_argument("job", metavar="JOB", help="whose hold")
        release.set_defaults(fields=_fields("model", "job", "reason"))
        self._add_prepare()
        settle = self._add(
            "settle",
            "end what a writer left half done that died: refs.json is the newest generation again",
            readable=print_changes.settled,
        )
        settle.add_argument(
            "model", metavar="MODEL", nargs="?", help="the model's name (default: all of them)"
        )
        settle.set_defaults(fields=_fields("model"))

    def _add_prepare(self) -> None:
        prepare = self._add_change(
            "prepare",
            "measure the forms of versions on the ONNX Runtime that is here, and keep the best",
            print_models.prepared,
        )
        prepare.add_argument(
            "model",
            metavar="MODEL",
            help="NAME@7 or NAME:label, that version; NAME, every version in service that a label "
            "(so the split, too) or a running hold names, the newest first",
        )
        prepare.add_argument(
            "--runtime",
            metavar="KEY",
            help="refuse to work on any runtime but this one, as show names it: ort-1.32.0-... "
            "(default: the one that is here, or the stage's)",
        )
        prepare.add_argument(
            "--again",
            action="store_true",
            help="also where the runtime has a preparation: it is replaced",
        )
        prepare.set_defaults(fields=_fields("model", "runtime", "again", "reason"))

    def _add_upkeep(self) -> None:
        sweep = self._add(
            "sweep",
            "delete what was retired a day ago and nothing names, and what dead writers left",
            readable=print_maintenance.swept,
        )
        sweep.add_argument(
            "--dry-run", action="store_true", help="only say what would be deleted, and why not"
        )
        sweep.set_defaults(fields=_fields("dry_run"))
        verify = self._add(
            "verify", "read every byte again and compare", readable=print_maintenance.verified
        )
        verify.add_argument(
            "model", metavar="MODEL", nargs="?", help="the model's name (default: all of them)"
        )
        verify.set_defaults(fields=_fields("model"))

        diff = self._add(
            "diff", "what differs between two versions", readable=print_maintenance.compared
        )
        _take(diff, _MODEL)
        for name, metavar in (("one", "FROM"), ("other", "TO")):
            diff.add_argument(name, metavar=metavar, type=version, help="a version's number")
        diff.set_defaults(fields=_fields("model", "one", "other"))

        backup = self._add(
            "backup",
            "copy a store that is mounted here to a folder",
            readable=print_maintenance.backed_up,
        )
        backup.add_argument(
            "folder",
            metavar="FOLDER",
            type=folder,
            help="missing, empty, or an earlier backup of this store: what is new is added, and "
            "what is there is read and checked",
        )
        backup.add_argument(
            "--trust-sizes",
            action="store_true",
            help="believe what is there by the sizes of its files: fast, and blind to what a disk "
            "has damaged",
        )
        backup.set_defaults(
            verb=commands.backup_store,
            fields=lambda o: {"folder": str(o.folder.absolute()), "trust_sizes": o.trust_sizes},
        )
        restore = self._add(
            "restore",
            "make a store of a backup, at --store: missing or empty",
            readable=print_maintenance.restored,
        )
        restore.add_argument("folder", metavar="FOLDER", type=folder, help="what backup wrote")
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
        parser.add_argument("--reason", type=text, default="", help="why, for the model's history")
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
        options.parser.error("name shares as LABEL=PERCENT, or --none to take the split away")
    return {"model": options.model, "shares": dict(options.shares), "reason": options.reason}
