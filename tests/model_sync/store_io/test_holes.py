"""A sparse file is published whole, and its holes take no space."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Final

import numpy as np
import pytest

from model_store.layout import SOURCE, StoreLayout
from model_store.reading import refresh
from model_sync.sources.folder import FolderSource
from model_sync.store_io.staging import BLOCK_BYTES, copy_in
from tests.model_sync import awkward_models as awkward
from tests.support.places import ROOT

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

GB: Final = 10**9


def _write_sparse(path: Path, size: int, parts: Mapping[int, bytes]) -> Path:
    with path.open("wb") as stream:
        for place, data in parts.items():
            stream.seek(place)
            stream.write(data)
        stream.truncate(size)
    return path


def _allocated(path: Path) -> int:
    return path.stat().st_blocks * 512


@pytest.mark.parametrize(
    ("size", "parts"),
    [
        (16 * BLOCK_BYTES, {}),
        (16 * BLOCK_BYTES + 5, {}),
        (16 * BLOCK_BYTES, {0: b"first"}),
        (16 * BLOCK_BYTES, {3 * BLOCK_BYTES - 2: b"over two blocks"}),
        (16 * BLOCK_BYTES + 5, {16 * BLOCK_BYTES + 4: b"l"}),
        (16 * BLOCK_BYTES, {5: b"one", 9 * BLOCK_BYTES: b"other"}),
        (3, {}),
        (3, {1: b"\1"}),
    ],
)
def test_a_sparse_file_is_copied_whole_and_its_holes_stay_holes(
    tmp_path: Path, size: int, parts: dict[int, bytes]
) -> None:
    (tmp_path / "model").mkdir()
    original = _write_sparse(tmp_path / "model" / "file", size, parts)
    told: list[int] = []
    entry = copy_in(FolderSource(tmp_path / "model"), "file", tmp_path, "copy", told.append)
    data = original.read_bytes()
    assert (tmp_path / "copy").read_bytes() == data
    assert (entry.size_bytes, entry.digest.hex) == (size, hashlib.sha256(data).hexdigest())
    assert sum(told) == size
    assert _allocated(tmp_path / "copy") <= 2 * len(parts) * BLOCK_BYTES


@pytest.mark.slow
def test_five_gigabytes_of_which_a_graph_uses_a_slice_are_published_in_bounded_memory(
    tmp_path: Path,
) -> None:
    place = 4 * GB + 4096 - 4 * GB % 4096
    tensor = awkward.external("c", location="weights.bin", offset=str(place), length="8")
    awkward.write_adder_of(tmp_path / "adder" / "model.onnx", tensor)
    constants = np.array([1.5, -2.5], np.float32).tobytes()
    _write_sparse(tmp_path / "adder" / "weights.bin", 5 * GB, {place: constants})
    if os.statvfs(tmp_path).f_bavail * os.statvfs(tmp_path).f_frsize < 6 * GB:
        pytest.fail("6 GB must be free where tests write, in case that holes are none there")
    command = [sys.executable, "-m", "tests.model_sync.peak_of_publishing"]
    done = subprocess.run(
        [*command, tmp_path / "adder", tmp_path / "store"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 400 << 20
    layout = StoreLayout(tmp_path / "store")
    entry = refresh(layout, "adder", None).refs.versions[1]
    assert entry.size_bytes > 5 * GB
    copied = layout.model("adder").version(entry.id) / SOURCE / "weights.bin"
    assert copied.stat().st_size == 5 * GB
    assert _allocated(copied) <= 2 * BLOCK_BYTES
