"""A digest computed in a thread is that of the bytes, and its thread ends."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_store.digests import Digest
from model_sync.store_io.hashing import Hashing


def hashing_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "hashing"]


@given(st.lists(st.binary(max_size=20), max_size=40))
def test_it_is_the_digest_of_all_blocks_in_order(blocks: list[bytes]) -> None:
    with Hashing() as hashing:
        for block in blocks:
            hashing.update(block)
        assert hashing.digest() == Digest.of_bytes(b"".join(blocks))
    assert hashing_threads() == []


def test_one_block_needs_no_thread() -> None:
    with Hashing() as hashing:
        hashing.update(b"alone")
        assert hashing_threads() == []
        hashing.update(b"and another")
        assert len(hashing_threads()) == 1


def test_whatever_fails_meanwhile_the_thread_ends() -> None:
    def fail() -> None:
        with Hashing() as hashing:
            hashing.update(b"a")
            hashing.update(b"b")
            raise ValueError("the disk")

    with pytest.raises(ValueError, match="the disk"):
        fail()
    assert hashing_threads() == []
