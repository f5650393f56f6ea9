"""A version's manifest: the file that defines a published version.

The version's digest is its identity. It covers the version's contents (its files, and which of them
are the model, the pipeline and the golden cases) and the digest of its package set, but not the
time or place of publishing. A manifest whose contents do not match its digest is damaged. Refs hold
the digest too, so they vouch for every byte of a version.
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
"""Objectives for choosing a version's variant; the first is the default."""


class GoldenCases(NamedTuple):
    """Requests that a version must answer as it did when it was published.

    `cases` are names of folders in golden/. A float may differ by `atol + rtol * |expected|`.
    """

    cases: tuple[str, ...]
    rtol: float
    atol: float

    def to_json(self) -> dict[str, Any]:
        """Return the JSON value that manifests hold."""
        return {"cases": list(self.cases), "rtol": self.rtol, "atol": self.atol}

    @classmethod
    def from_fields(cls, fields: Fields) -> Self:
        """Read a value from `to_json`; raises DamagedError."""
        golden = cls(fields.texts("cases"), fields.number("rtol"), fields.number("atol"))
        fields.done()
        return golden


class VersionContent(NamedTuple):
    """Contents of a version. Equal contents are the same version, whenever published."""

    files: tuple[FileEntry, ...]
    """Every file except the manifest, sorted by path."""
    model_file: str
    """The graph's path in the version's folder: `source/model.onnx`."""
    pipeline_file: str | None
    golden: GoldenCases
    packages: Digest | None
    """The package set that the version's code imports from; published before the version."""
    optimize_for: str = BALANCED
    """Objective for choosing its variant; written only if it is not the default."""

    def to_json(self) -> dict[str, Any]:
        """Return the JSON value that manifests hold."""
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
        """Take the fields from `to_json` out of a document; raises DamagedError."""
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
        """Total size of all files."""
        return sum(entry.size_bytes for entry in self.files)

    def golden_files(self, case: str) -> tuple[FileEntry, FileEntry]:
        """Return a golden case's request and expected answer.

        Raises DamagedError if the case is not exactly these two files.
        """
        folder = f"{GOLDEN}/{case}/"
        inside = [entry for entry in self.files if entry.path.startswith(folder)]
        match inside:
            case [expected, request] if expected.path == f"{folder}expected.json":
                if request.path.startswith(f"{folder}request."):
                    return request, expected
        raise DamagedError(f"golden case {case!r} is not one request.* and expected.json")

    def file(self, path: str) -> FileEntry:
        """Return the entry of a path; raises DamagedError if the manifest does not list it."""
        for entry in self.files:
            if entry.path == path:
                return entry
        raise DamagedError(f"the manifest does not list {path}")


def _objective(fields: Fields) -> str:
    if "optimize_for" not in fields.names():
        return BALANCED
    stated: str = fields.text("optimize_for")
    if (
        stated not in OBJECTIVES[1:]
    ):  # the default is not written, so that equal contents have one spelling
        raise DamagedError(f"{fields.where}: 'optimize_for' is not one of {', '.join(OBJECTIVES)}")
    return stated


class VersionManifest(NamedTuple):
    """`versions/<id>/manifest.json`; `parse` and `render` are exact inverses."""

    model: str
    id: str
    created_at: str
    signature: Signature
    content: VersionContent

    def render(self) -> bytes:
        """Return the manifest's bytes."""
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
            raise DamagedError(f"{where} is damaged: its contents do not match its digest")
        return manifest
