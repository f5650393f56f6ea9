"""The bytes on disk: what changes here changes what every published store must be read by."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from model_store.version import VersionManifest
from tests.support.documents import CONTENT, KINDS, PARSERS, RENDERED, VERSION

SPELLED: Final = Path(__file__).parent / "spelled"


@pytest.mark.parametrize("kind", KINDS)
def test_a_document_is_written_byte_for_byte_as_format_1_says(kind: str) -> None:
    assert RENDERED[kind] == (SPELLED / f"{kind}.json").read_bytes()


@pytest.mark.parametrize("kind", KINDS)
def test_what_an_earlier_release_wrote_is_read(kind: str) -> None:
    PARSERS[kind]((SPELLED / f"{kind}.json").read_bytes(), kind)


def test_the_identity_of_contents_never_changes() -> None:
    # Another digest here would make every published version a new one when it is published again.
    assert str(CONTENT.digest) == (
        "sha256:b03aa2839411c1a408e52a0faf94c48f52aceb7ccbb34b73044df560fbad6805"
    )


def test_a_manifest_says_what_its_version_holds() -> None:
    manifest = VersionManifest.parse((SPELLED / "version.json").read_bytes(), "version.json")
    assert manifest == VERSION
    assert manifest.content.size_bytes == 9
    assert manifest.content.file("source/größe.onnx").size_bytes == 5
