from __future__ import annotations

import hashlib
import io
from typing import TYPE_CHECKING, Any

import pytest

from model_store.chunks import CHUNK_BYTES, count_chunks, digest_chunks, parse_chunks, parse_ranges
from model_store.digests import Digest
from model_store.documents import Fields
from model_store.errors import DamagedError

if TYPE_CHECKING:
    from pathlib import Path

SIZES = [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 2 * CHUNK_BYTES, 2 * CHUNK_BYTES + 7]


@pytest.mark.parametrize("size", SIZES)
def test_chunks_are_digested_as_they_lie_and_a_single_one_needs_no_digest(
    tmp_path: Path, size: int
) -> None:
    data = (bytes(range(251)) * (size // 251 + 1))[:size]
    path = tmp_path / "file"
    path.write_bytes(data)
    with path.open("rb") as stream:
        whole, chunks = digest_chunks(stream)
    parts = [data[at : at + CHUNK_BYTES] for at in range(0, size, CHUNK_BYTES)]
    expected = tuple(hashlib.sha256(part).hexdigest() for part in parts)
    assert whole == Digest.of_bytes(data)
    assert count_chunks(size) == len(parts)
    assert chunks == (expected if len(parts) > 1 else ())


def test_a_stream_that_gives_little_at_a_time_is_digested_the_same() -> None:
    data = bytes(range(256)) * 20_000

    class Slow(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            return super().read(min(size or 0, 65_521))

    slow: Any = Slow(data)
    whole, chunks = digest_chunks(slow)
    assert whole == Digest.of_bytes(data)
    assert chunks == tuple(
        hashlib.sha256(data[at : at + CHUNK_BYTES]).hexdigest()
        for at in range(0, len(data), CHUNK_BYTES)
    )


@pytest.mark.parametrize("value", [[], ["0" * 64], ["0" * 64, "0" * 63], ["0" * 64, 1], "00", None])
def test_what_is_no_list_of_digests_is_damage(value: object) -> None:
    with pytest.raises(DamagedError, match=r"manifest\.json"):
        parse_chunks(Fields({"w": value}, "manifest.json"))


@pytest.mark.parametrize(
    "value",
    [
        [[0]],
        [[0, 0]],
        [[-1, 1]],
        [[0, 1], [1, 1]],
        [[2, 1], [0, 1]],
        [[True, 1]],
        [[0, True]],
        [[0, 1.0]],
        ["01"],
        None,
    ],
)
def test_what_are_no_ascending_ranges_apart_from_each_other_is_damage(value: object) -> None:
    with pytest.raises(DamagedError, match=r"manifest\.json"):
        parse_ranges(Fields({"w": value}, "manifest.json"))


def test_ranges_and_digests_are_read_as_they_were_written() -> None:
    digests = ["0" * 64, "a" * 64]
    assert parse_chunks(Fields({"w": digests}, "x")) == {"w": tuple(digests)}
    assert parse_ranges(Fields({"w": [[0, 2], [3, 1]], "v": []}, "x")) == {
        "w": ((0, 2), (3, 1)),
        "v": (),
    }
