from __future__ import annotations

import hashlib
import io
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_store.digests import Digest
from model_store.errors import DamagedError
from tests.support.strategies import untimed

if TYPE_CHECKING:
    from pathlib import Path

HEX = "0123456789abcdef" * 4


@untimed
@given(st.binary(max_size=2000))
def test_a_digest_is_the_sha256_of_the_bytes(data: bytes) -> None:
    expected = f"sha256:{hashlib.sha256(data).hexdigest()}"
    assert str(Digest.of_bytes(data)) == expected
    assert str(Digest.of_stream(io.BufferedReader(io.BytesIO(data)))) == expected


def test_a_stream_is_digested_from_where_it_stands_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"skipped" + b"x" * 300_000)
    with path.open("rb") as stream:
        stream.seek(7)
        assert Digest.of_stream(stream) == Digest.of_bytes(b"x" * 300_000)
        assert stream.tell() == 300_007


@pytest.mark.parametrize(
    "text",
    [
        "", ":", HEX, f":{HEX}", "sha256:", "sha256", f"sha256:{HEX[1:]}", f"sha256:{HEX}0",
        f"sha256:{HEX.upper()}", f"SHA256:{HEX}", f"sha1:{HEX[:40]}", f"sha512:{HEX}{HEX}",
        f"sha256:{HEX}\n", f" sha256:{HEX}", f"sha256: {HEX[1:]}", f"sha256:{HEX[1:]}g",
        f"sha256:{HEX[1:]}\u0661", f"md5:{HEX}", f"sha256:sha256:{HEX}",
    ],
    ids=ascii,
)  # fmt: skip
def test_what_is_no_digest_is_refused(text: str) -> None:
    with pytest.raises(DamagedError, match="no digest"):
        Digest.parse(text)


def test_a_long_text_that_is_no_digest_is_shown_in_part() -> None:
    with pytest.raises(DamagedError) as caught:
        Digest.parse("x" * 100_000)
    assert len(str(caught.value)) < 200
