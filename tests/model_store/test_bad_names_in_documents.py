"""An impossible name in a document is damage, and the message quotes the name.

InvalidNameError means that a caller asked for an impossible name: a reader concludes that the model
does not exist, and evicts its warm versions. After damage, a reader keeps them.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from model_store.errors import DamagedError
from tests.support.documents import PARSERS, RUNTIME, as_json

PLACES: list[tuple[str, tuple[str | int, ...], str, Any]] = [
    *((kind, (), "model", "No Name") for kind in ("refs", "version", "preparation")),
    ("version", (), "id", "../x"),
    ("version", (), "digest", "sha256:short"),
    ("version", ("files", 0), "digest", "sha256:short"),
    ("version", (), "packages", "sha256:short"),
    ("package_set", (), "digest", "sha256:short"),
    ("package_set", (), "files_digest", "sha256:short"),
    ("package_set", ("wheels", 0), "digest", "sha256:short"),
    ("preparation", (), "id", "../x"),
    ("preparation", (), "version_id", "../x"),
    ("preparation", (), "version_digest", "sha256:short"),
    ("preparation", (), "runtime", "../x"),
    ("preparation", ("variants", 0), "graph", "../x"),
    ("refs", ("labels",), "No Name", 1),
    ("refs", ("versions", "1"), "id", "../x"),
    ("refs", ("versions", "1"), "digest", "sha256:short"),
    ("refs", ("versions", "1", "preparations"), "No Key", "20261123T210936Z-a1b2c3d4e5f6"),
    ("refs", ("versions", "1", "preparations"), RUNTIME, "../x"),
    ("refs", ("versions", "1", "preparations"), RUNTIME, 7),
]


@pytest.mark.parametrize(("kind", "place", "key", "value"), PLACES)
def test_a_document_with_an_impossible_name_is_damaged(
    kind: str, place: tuple[str | int, ...], key: str, value: Any
) -> None:
    document: Any = as_json(kind)
    holder = document
    for step in place:
        holder = holder[step]
    holder[key] = value
    with pytest.raises(DamagedError) as caught:
        PARSERS[kind](json.dumps(document).encode(), f"<the {kind} document>")
    assert f"<the {kind} document>" in str(caught.value)
