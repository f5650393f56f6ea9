"""Files that no case touched are checked after the first answer; damage found there counts."""

from __future__ import annotations

import errno
import os
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from inference.errors import NotReadyError
from inference.loading.loader import RUNTIME, load_version
from inference.process.background import Background
from inference.serving.manager import Manager
from inference.settings import Verify
from model_store.chunks import CHUNK_BYTES
from model_store.layout import StoreLayout
from model_store.preparation import PreparationManifest
from model_store.reading import read_preparation
from model_store.variant import PLAIN
from model_sync.__main__ import main
from model_sync.progress import Silent
from model_sync.publishing.publish import publish
from tests.inference.serving.stale_files import FailingOpens
from tests.support.damage import flip_a_byte
from tests.support.lookup_model import LOOKED_UP, LOOKUP, RECORDED, WIDTH, write_lookup_model
from tests.support.stores import entry_of, version_folder
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

pytestmark = pytest.mark.store_of("lookup_store")

UNTOUCHED = CHUNK_BYTES + 5


@pytest.fixture(scope="module")
def lookup_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("unread")
    write_lookup_model(root / LOOKUP)
    publish(root / LOOKUP, root / "store", progress=Silent())
    # Measurements choose the variant and its replacement; a replacement reads all of the weights.
    change_preparation(root / "store", lambda found: found._replace(replacement=None))
    return root / "store"


def change_preparation(
    store: Path, change: Callable[[PreparationManifest], PreparationManifest]
) -> None:
    """Change what the manifest of the one preparation in a store says."""
    [path] = store.glob("models/*/preparations/*/manifest.json")
    path.write_bytes(change(PreparationManifest.parse(path.read_bytes(), "x")).render())


class Calls:
    """A manager over a store, and calls to its model, one after another."""

    def __init__(self, store: Path) -> None:
        self.background = Background()
        self.manager = Manager(
            StoreLayout(store), ref_ttl_s=0.0, load=load_version, background=self.background
        )

    def answer(self) -> NDArray[np.generic]:
        """One call: what waits for its end begins when it has ended."""
        self.background.begin_call()
        try:
            loaded = self.manager.resolve(LOOKUP).loaded
            return loaded.run({"ids": np.array(LOOKED_UP, np.int64)})["y"]
        finally:
            self.background.end_call()

    def reasons(self) -> list[str]:
        """Return the reason of the quarantine, once no check is in progress."""
        wait_until(lambda: not self.background.busy())
        state = self.manager.state().models.get(LOOKUP)
        return [each.reason for each in state.quarantined] if state else []


@pytest.fixture
def calls(store: Path) -> Calls:
    return Calls(store)


def weights(store: Path) -> Path:
    """Return the file with the weights of the chosen variant."""
    layout, entry = StoreLayout(store), entry_of(store, 1, LOOKUP)
    preparation = read_preparation(layout, LOOKUP, entry, RUNTIME)
    assert preparation is not None
    [(path, ranges)] = preparation.variant.recorded.items()
    assert ranges == RECORDED
    if preparation.chosen == PLAIN:
        return version_folder(store, 1, LOOKUP) / path
    return layout.model(LOOKUP).preparation(preparation.id) / path


def test_all_of_it_is_read_in_the_end_and_a_part_before_the_answer(
    calls: Calls, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: set[int] = set()
    preadv = os.preadv

    def noted(descriptor: int, buffers: Any, offset: int) -> int:
        read.add(offset // CHUNK_BYTES)
        return preadv(descriptor, buffers, offset)

    monkeypatch.setattr(os, "preadv", noted)
    calls.background.begin_call()  # until that one ends, what is left is left
    calls.answer()
    assert read == {0, 2, 5, 8, 9}  # 0: the graph
    calls.background.end_call()
    assert calls.reasons() == []
    assert read == set(range(10))


def test_a_wrong_chunk_behind_the_answer_takes_the_version_out(calls: Calls, store: Path) -> None:
    flip_a_byte(weights(store), UNTOUCHED)
    assert calls.answer().shape == (2, 2 * WIDTH)
    [reason] = calls.reasons()
    assert f"weights.bin is damaged: its {CHUNK_BYTES} bytes from {CHUNK_BYTES} on" in reason
    with pytest.raises(NotReadyError, match="is damaged"):
        calls.answer()


def test_a_wrong_chunk_among_the_recorded_ones_fails_the_load(calls: Calls, store: Path) -> None:
    flip_a_byte(weights(store), RECORDED[0][0] * CHUNK_BYTES)
    with pytest.raises(NotReadyError, match="is damaged"):
        calls.answer()


def test_with_all_verified_no_wrong_chunk_is_ever_answered_from(store: Path) -> None:
    flip_a_byte(weights(store), UNTOUCHED)
    load = partial(load_version, verify=Verify.ALL)
    manager = Manager(StoreLayout(store), ref_ttl_s=0.0, load=load)
    with pytest.raises(NotReadyError, match="is damaged"):
        manager.resolve(LOOKUP)


@pytest.mark.parametrize("verify", [Verify.SIZE, Verify.OFF])
def test_what_is_not_to_be_verified_is_not(store: Path, verify: Verify) -> None:
    flip_a_byte(weights(store), RECORDED[0][0] * CHUNK_BYTES)
    load = partial(load_version, verify=verify)
    manager = Manager(StoreLayout(store), ref_ttl_s=0.0, load=load)
    assert manager.resolve(LOOKUP).loaded.unread == ()


def test_verifying_finds_a_chunks_digest_that_is_wrong_in_the_manifest(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["verify", "--store", str(store)]) == 0
    change_preparation(
        store,
        lambda found: found._replace(
            chunks={each: (*digests[:-1], "0" * 64) for each, digests in found.chunks.items()}
        ),
    )
    capsys.readouterr()
    assert main(["verify", "--store", str(store)]) == 1
    assert "weights.bin does not match its preparation's chunk digests" in capsys.readouterr().out


def test_a_rest_that_cannot_be_read_now_says_nothing_against_the_version(
    calls: Calls, monkeypatch: pytest.MonkeyPatch
) -> None:
    opens = FailingOpens(monkeypatch)
    calls.background.begin_call()
    calls.answer()
    opens.fail("weights.bin", errno.EIO, None)
    calls.background.end_call()
    assert calls.reasons() == []
    assert opens.hits == 1
    opens.heal()
    calls.answer()


def test_of_a_version_that_was_let_go_nothing_more_is_read(
    calls: Calls, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flip_a_byte(weights(store), UNTOUCHED)
    calls.background.begin_call()
    calls.answer()
    calls.manager.unload(LOOKUP)
    calls.background.end_call()
    assert calls.reasons() == []
