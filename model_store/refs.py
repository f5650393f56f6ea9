"""One model's refs: labels, traffic split, versions and holds, and a generation number.

Refs are the only part of a store that changes. They change by a new generation, never in place:
`refs/<generation>.json` is written once. A generation is consistent as a whole. The writer decides
on changes (model_sync/refs/publish_changes.py).
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self

from model_store import documents
from model_store.documents import FORMAT, Fields
from model_store.errors import DamagedError
from model_store.names import check_id, check_label, check_model, check_runtime_key

if TYPE_CHECKING:
    from collections.abc import Mapping

    from model_store.digests import Digest

LATEST: Final = "latest"
"""The label that publishing moves, and the default label of calls."""

GRACE_S: Final = 86_400
"""Minimum time for which a retired version's files stay; writers and readers rely on it."""

REMOVED: Final = "removed"
"""The verb of a removed model's last generation. Its folder is deleted afterwards."""

_WHOLE_PERCENT: Final = 100
_NUMBER: Final = re.compile(r"[1-9][0-9]{0,17}")


class State(StrEnum):
    """State of a version: available, retired (served until swept), deleted."""

    AVAILABLE = "available"
    RETIRED = "retired"
    DELETED = "deleted"


class VersionEntry(NamedTuple):
    """A version's entry in refs. `preparations` maps runtime keys to preparations' ids."""

    id: str
    state: State
    digest: Digest
    size_bytes: int
    published_at: str
    preparations: Mapping[str, str]
    retired_at: str | None = None
    sweep_after: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the JSON value that refs hold."""
        return {
            "id": self.id,
            "state": str(self.state),
            "digest": str(self.digest),
            "size_bytes": self.size_bytes,
            "published_at": self.published_at,
            "preparations": dict(self.preparations),
            "retired_at": self.retired_at,
            "sweep_after": self.sweep_after,
        }

    @classmethod
    def from_json(cls, value: object, where: str) -> Self:
        """Read a value from `to_json`; raises DamagedError."""
        fields = Fields(value, where)
        state = fields.text("state")
        if state not in set(State):
            raise DamagedError(f"{where}: unknown state {state!r}")
        ids = fields.fields("preparations")
        preparations = {
            ids.checked(key, check_runtime_key): ids.name(key, check_id) for key in ids.names()
        }
        entry = cls(
            id=fields.name("id", check_id),
            state=State(state),
            digest=fields.digest("digest"),
            size_bytes=fields.integer("size_bytes", minimum=0),
            published_at=fields.time("published_at"),
            preparations=preparations,
            retired_at=None if fields.is_null("retired_at") else fields.time("retired_at"),
            sweep_after=None if fields.is_null("sweep_after") else fields.time("sweep_after"),
        )
        fields.done()
        return entry


class Hold(NamedTuple):
    """A job's claim on a version until a time, which protects the version from sweeping."""

    version: int
    until: str


class Change(NamedTuple):
    """Author, time, verb and reason of a generation."""

    who: str
    when: str
    verb: str
    reason: str

    def to_json(self) -> dict[str, Any]:
        """Return the JSON value that refs hold."""
        return {"who": self.who, "when": self.when, "verb": self.verb, "reason": self.reason}

    @classmethod
    def from_fields(cls, fields: Fields) -> Self:
        """Read a value from `to_json`; raises DamagedError."""
        change = cls(
            fields.text("who"), fields.time("when"), fields.text("verb"), fields.text("reason")
        )
        fields.done()
        return change


class Refs(NamedTuple):
    """One generation of one model's refs; `parse` and `render` are exact inverses.

    Every label, split and hold names a version in `versions`. Every version's number is less than
    `next_version`, which only grows, so that a deleted version's number is never used again.
    """

    model: str
    model_id: str
    generation: int
    writer: str
    next_version: int
    labels: Mapping[str, int]
    split: Mapping[str, int]
    versions: Mapping[int, VersionEntry]
    holds: Mapping[str, Hold]
    change: Change

    @property
    def is_removed(self) -> bool:
        """True for the last generation of a removed model, whose folder will be deleted."""
        return self.change.verb == REMOVED

    def render(self) -> bytes:
        """Return the document's bytes."""
        return documents.render(
            {
                "format": FORMAT,
                "model": self.model,
                "model_id": self.model_id,
                "generation": self.generation,
                "writer": self.writer,
                "next_version": self.next_version,
                "labels": dict(self.labels),
                "split": dict(self.split),
                "versions": {
                    str(number): entry.to_json() for number, entry in self.versions.items()
                },
                "holds": {
                    job: {"version": hold.version, "until": hold.until}
                    for job, hold in self.holds.items()
                },
                "change": self.change.to_json(),
            }
        )

    @classmethod
    def parse(cls, data: bytes, where: str) -> Self:
        """Read refs; raises DamagedError or FormatTooNewError."""
        fields = documents.open_document(data, where)
        refs = cls(
            model=fields.name("model", check_model),
            model_id=fields.text("model_id"),
            generation=fields.integer("generation", minimum=1),
            writer=fields.text("writer"),
            next_version=fields.integer("next_version", minimum=1),
            labels=_numbers(fields.fields("labels"), minimum=1),
            split=_numbers(fields.fields("split"), minimum=0),
            versions=_versions(fields.mapping("versions"), where),
            holds=_holds(fields.mapping("holds"), where),
            change=Change.from_fields(fields.fields("change")),
        )
        fields.done()
        refs._check(where)
        return refs

    def _check(self, where: str) -> None:
        named = {*self.labels.values(), *(hold.version for hold in self.holds.values())}
        if not named <= set(self.versions):
            raise DamagedError(f"{where}: a label or hold names a version that it does not list")
        if any(number >= self.next_version for number in self.versions):
            raise DamagedError(f"{where}: a version's number is not below next_version")
        if not set(self.split) <= set(self.labels) or sum(self.split.values()) > _WHOLE_PERCENT:
            raise DamagedError(f"{where}: split names an unknown label, or exceeds 100 percent")


def _numbers(fields: Fields, *, minimum: int) -> dict[str, int]:
    return {
        fields.checked(key, check_label): fields.integer(key, minimum=minimum)
        for key in fields.names()
    }


def _versions(mapping: dict[str, object], where: str) -> dict[int, VersionEntry]:
    versions = {}
    for key, value in mapping.items():
        number = int(key) if _NUMBER.fullmatch(key) else 0
        if number < 1:
            raise DamagedError(f"{where}: {key!a} is no version number")
        versions[number] = VersionEntry.from_json(value, f"{where}: version {key}")
    return versions


def _holds(mapping: dict[str, object], where: str) -> dict[str, Hold]:
    holds = {}
    for job, value in mapping.items():
        fields = Fields(value, f"{where}: hold {job!r}")
        holds[job] = Hold(fields.integer("version", minimum=1), fields.time("until"))
        fields.done()
    return holds
