"""A version's manifest: the one file that says what was published.

The version's digest is its identity: the digest of what it holds (its files, and which of them
are the model, the pipeline and the golden cases) and of the package set that it needs, not of when
or where it was made. A manifest whose digest does not follow from its contents is damaged, so refs,
which hold the digest too, vouch for every byte of a version.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple, Self

from model_store import documents
from model_store.digests import Digest
from model_store.documents import FORMAT, Fields
from model_store.errors import DamagedError
from model_store.files import FileEntry, parse_files
from model_store.layout import GOLDEN
from model_store.names import check_id, check_model
from model_store.signature import Signature

BALANCED: Final = "balanced"
OBJECTIVES: Final = (BALANCED, "cold", "warm")
"""What a version's preparations can be chosen for; the first unless it says so."""


class GoldenCases(NamedTuple):
    """The cases that a version must answer as it did when published.

    `cases` are names of folders in golden/; a float may differ by `atol + rtol * |expected|`.
    """

    cases: tuple[str, ...]
    rtol: float
    atol: float

    def to_json(self) -> dict[str, Any]:
        """The form in which manifests hold it."""
        return {"cases": list(self.cases), "rtol": self.rtol, "atol": self.atol}

    @classmethod
    def from_fields(cls, fields: Fields) -> Self:
        """Read what `to_json` gave; raises DamagedError."""
        golden = cls(fields.texts("cases"), fields.number("rtol"), fields.number("atol"))
        fields.done()
        return golden


class VersionContent(NamedTuple):
    """What a version holds. Equal contents are one version, whoever publishes them and when."""

    files: tuple[FileEntry, ...]
    """Every file but the manifest, sorted by path."""
    model_file: str
    """The graph's path in the version's folder: `source/model.onnx`."""
    pipeline_file: str | None
    golden: GoldenCases
    packages: Digest | None
    """The package set that the version's code imports from; it is in place before the version."""
    optimize_for: str = BALANCED
    """What its preparations are chosen for; said only where it is not the default."""

    def to_json(self) -> dict[str, Any]:
        """The form in which manifests hold it."""
        more = {} if self.optimize_for == BALANCED else {"optimize_for": self.optimize_for}
        return {
            **more,
            "files": [entry.to_json() for entry in self.files],
            "model_file": self.model_file,
            "pipeline_file": self.pipeline_file,
            "golden": self.golden.to_json(),
            "packages": None if self.packages is None else str(self.packages),
        }

    @classmethod
    def from_fields(cls, fields: Fields) -> Self:
        """Take what `to_json` gave out of a document's fields; raises DamagedError."""
        content = cls(
            files=parse_files(fields.items("files"), f"{fields.where}: files"),
            model_file=fields.text("model_file"),
            pipeline_file=None if fields.is_null("pipeline_file") else fields.text("pipeline_file"),
            golden=GoldenCases.from_fields(fields.fields("golden")),
            packages=None if fields.is_null("packages") else fields.digest("packages"),
            optimize_for=_objective(fields),
        )
        content.file(content.model_file)
        if content.pipeline_file is not None:
            content.file(content.pipeline_file)
        return content

    @property
    def digest(self) -> Digest:
        """The version's identity."""
        return Digest.of_bytes(documents.render(self.to_json()))

    @property
    def size_bytes(self) -> int:
        """All files together."""
        return sum(entry.size_bytes for entry in self.files)

    def golden_files(self, case: str) -> tuple[FileEntry, FileEntry]:
        """A golden case's request and expected answer; raises DamagedError if they are not so."""
        folder = f"{GOLDEN}/{case}/"
        inside = [entry for entry in self.files if entry.path.startswith(folder)]
        match inside:
            case [expected, request] if expected.path == f"{folder}expected.json":
                if request.path.startswith(f"{folder}request."):
                    return request, expected
        raise DamagedError(f"golden case {case!r} is not one request.* and expected.json")

    def file(self, path: str) -> FileEntry:
        """The entry of one path; raises DamagedError if the manifest does not list it."""
        for entry in self.files:
            if entry.path == path:
                return entry
        raise DamagedError(f"the manifest does not list {path}")


def _objective(fields: Fields) -> str:
    if "optimize_for" not in fields.names():
        return BALANCED
    stated: str = fields.text("optimize_for")
    if stated not in OBJECTIVES[1:]:  # the default is not said: a content has one spelling
        raise DamagedError(f"{fields.where}: 'optimize_for' is not one of {', '.join(OBJECTIVES)}")
    return stated


class VersionManifest(NamedTuple):
    """`versions/<id>/manifest.json`. `parse(m.render(), ...) == m`, and back."""

    model: str
    id: str
    created_at: str
    signature: Signature
    content: VersionContent

    def render(self) -> bytes:
        """The manifest's bytes."""
        return documents.render(
            {
                "format": FORMAT,
                "model": self.model,
                "id": self.id,
                "digest": str(self.content.digest),
                "created_at": self.created_at,
                "signature": self.signature.to_json(),
                **self.content.to_json(),
            }
        )

    @classmethod
    def parse(cls, data: bytes, where: str) -> Self:
        """Read a manifest; raises DamagedError or FormatTooNewError."""
        fields = documents.open_document(data, where)
        content = VersionContent.from_fields(fields)
        manifest = cls(
            model=fields.name("model", check_model),
            id=fields.name("id", check_id),
            created_at=fields.time("created_at"),
            signature=Signature.from_fields(fields.fields("signature")),
            content=content,
        )
        digest = fields.digest("digest")
        fields.done()
        if digest != content.digest:
            raise DamagedError(f"{where} is damaged: its digest does not follow from its contents")
        return manifest
