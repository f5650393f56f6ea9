from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given

from model_store import documents
from model_store.digests import Digest
from model_store.documents import Fields
from model_store.files import FileEntry
from model_store.refs import Refs
from model_store.signature import Signature
from tests.support import strategies
from tests.support.documents import KINDS, PARSERS, RENDERED
from tests.support.strategies import fewer, untimed


@pytest.mark.parametrize("kind", KINDS)
def test_parse_and_render_are_exact_inverses(kind: str) -> None:
    parse = PARSERS[kind]

    @fewer
    @given(strategies.of_each_kind[kind])
    def holds(right: Any) -> None:
        data = right.render()
        assert parse(data, "document") == right
        assert parse(data, "document").render() == data
        spelled = json.dumps(json.loads(data), indent=2, sort_keys=True, ensure_ascii=False)
        assert data == spelled.encode() + b"\n"

    holds()


@untimed
@given(strategies.digests)
def test_parsing_a_digest_written_out_gives_the_same(digest: Digest) -> None:
    assert Digest.parse(str(digest)) == digest


@fewer
@given(strategies.signatures)
def test_a_signature_goes_through_json_unchanged(signature: Signature) -> None:
    value = json.loads(json.dumps(signature.to_json()))
    assert Signature.from_fields(Fields(value, "signature")) == signature


@fewer
@given(strategies.files)
def test_file_entries_go_through_json_unchanged(files: tuple[FileEntry, ...]) -> None:
    values = json.loads(json.dumps([entry.to_json() for entry in files]))
    assert tuple(FileEntry.from_json(value, "files") for value in values) == files


def _reversed(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _reversed(value[key]) for key in reversed(list(value))}
    return [_reversed(item) for item in value] if isinstance(value, list) else value


@fewer
@given(strategies.refs)
def test_the_order_in_which_keys_came_changes_no_byte(refs: Refs) -> None:
    backwards = json.dumps(_reversed(json.loads(refs.render()))).encode()
    assert Refs.parse(backwards, "refs.json").render() == refs.render()


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_what_json_cannot_say_is_not_rendered(value: float) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        documents.render({"rtol": value})


@pytest.mark.parametrize("kind", KINDS)
def test_the_examples_are_right(kind: str) -> None:
    PARSERS[kind](RENDERED[kind], kind)
