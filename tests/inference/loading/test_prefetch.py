"""Reads of a version before it answers: their contents, their number, and found damage."""

from __future__ import annotations

import errno
import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from inference.loading.prefetch import READERS, begin_prefetch, check_file_ranges
from inference.loading.read_plan import plan_reads
from inference.loading.variant_files import VariantFiles
from inference.settings import Verify
from model_store.chunks import CHUNK_BYTES, digest_chunks
from model_store.errors import DamagedError
from model_store.files import FileEntry

if TYPE_CHECKING:
    from collections.abc import Callable

    from inference.loading.read_plan import FileRange

GRAPH, WEIGHTS, CODE = "f/model.onnx", "f/weights.bin", "pipeline/data.bin"
N_CHUNKS = 5


def _write(folder: Path, path: str, size: int) -> tuple[FileEntry, tuple[str, ...]]:
    file = folder / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(os.urandom(size))
    with file.open("rb") as stream:
        digest, chunks = digest_chunks(stream)
    return FileEntry(path, size, digest), chunks


@pytest.fixture
def form(tmp_path: Path) -> VariantFiles:
    """A graph, weights of five chunks of which the second and fourth are touched, and data."""
    prepared, version = tmp_path / "prepared", tmp_path / "version"
    graph, _ = _write(prepared, GRAPH, 1000)
    weights, chunks = _write(prepared, WEIGHTS, (N_CHUNKS - 1) * CHUNK_BYTES + 17)
    data, _ = _write(version, CODE, 100)
    return VariantFiles(
        prepared,
        GRAPH,
        (graph, weights),
        version,
        (data,),
        {},
        optimized=True,
        maps_files=True,
        chunks={WEIGHTS: chunks},
        recorded={WEIGHTS: ((1, 1), (3, 1))},
    )


def _told(pieces: tuple[FileRange, ...]) -> list[tuple[str, int]]:
    return [(piece.file.entry.path, piece.offset // CHUNK_BYTES) for piece in pieces]


def _flip(form: VariantFiles, path: str, at: int) -> None:
    folder = form.version_folder if path == CODE else form.folder
    with (folder / path).open("r+b") as stream:
        stream.seek(at)
        byte = stream.read(1)
        stream.seek(at)
        stream.write(bytes([byte[0] ^ 1]))


def test_what_was_recorded_comes_first_and_the_rest_is_left(form: VariantFiles) -> None:
    pieces = plan_reads(form, Verify.CHUNKS)
    assert _told(pieces.graph) == [(GRAPH, 0)]
    assert _told(pieces.others) == [(CODE, 0), (WEIGHTS, 1), (WEIGHTS, 3)]
    assert _told(pieces.rest) == [(WEIGHTS, 0), (WEIGHTS, 2), (WEIGHTS, 4)]
    assert not pieces.whole
    assert all(piece.digest for piece in (*pieces.graph, *pieces.others, *pieces.rest))


@pytest.mark.parametrize("verify", [Verify.ALL, Verify.SIZE, Verify.OFF])
def test_nothing_is_left_where_nothing_comes_after(form: VariantFiles, verify: Verify) -> None:
    pieces = plan_reads(form, verify)
    assert not pieces.rest
    assert len(pieces.others) == 1 + N_CHUNKS
    assert all(bool(piece.digest) is (verify is Verify.ALL) for piece in pieces.others)


def test_a_file_without_a_record_is_read_whole(form: VariantFiles) -> None:
    pieces = plan_reads(form._replace(recorded={}), Verify.CHUNKS)
    assert len(pieces.others) == 1 + N_CHUNKS
    assert not pieces.rest


def test_a_file_without_chunks_digests_is_checked_whole(form: VariantFiles) -> None:
    form = form._replace(chunks={})
    pieces = plan_reads(form, Verify.CHUNKS)
    assert [file.entry.path for file in pieces.whole] == [WEIGHTS]
    assert not pieces.rest
    begin_prefetch(form).wait()
    _flip(form, WEIGHTS, 2 * CHUNK_BYTES)
    with pytest.raises(DamagedError, match=f"{WEIGHTS} is damaged"):
        begin_prefetch(form).wait()
    assert not plan_reads(form, Verify.SIZE).whole


def test_a_manifest_with_digests_of_another_number_of_chunks_is_damage(form: VariantFiles) -> None:
    form = form._replace(chunks={WEIGHTS: form.chunks[WEIGHTS][1:]})
    with pytest.raises(DamagedError, match=r"has digests of 4 chunks of f/weights\.bin"):
        begin_prefetch(form)


def test_right_bytes_are_read_once_and_nothing_is_left_open(
    form: VariantFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = _counting(monkeypatch)
    before = _open_files()
    prefetch = begin_prefetch(form)
    prefetch.wait_for_graph()
    prefetch.wait()
    assert sum(read) == 1000 + 100 + 2 * CHUNK_BYTES
    _wait_until(lambda: _open_files() <= before)
    check_file_ranges(prefetch.rest)
    assert sum(read) == 1000 + 100 + (N_CHUNKS - 1) * CHUNK_BYTES + 17
    assert _open_files() <= before


@pytest.mark.parametrize(
    ("path", "at"),
    [(GRAPH, 999), (WEIGHTS, CHUNK_BYTES), (WEIGHTS, 4 * CHUNK_BYTES - 1), (CODE, 0)],
)
def test_a_wrong_bit_among_what_is_touched_is_found_before_an_answer(
    form: VariantFiles, path: str, at: int
) -> None:
    _flip(form, path, at)
    prefetch = begin_prefetch(form)
    with pytest.raises(DamagedError, match=f"{path} is damaged: its .* bytes from"):
        prefetch.wait()
    with pytest.raises(DamagedError, match="is damaged"):
        prefetch.wait()


def test_a_wrong_bit_in_the_rest_is_found_behind_it_or_before_if_all_is_wanted(
    form: VariantFiles,
) -> None:
    _flip(form, WEIGHTS, 4 * CHUNK_BYTES)
    prefetch = begin_prefetch(form)
    prefetch.wait()
    with pytest.raises(DamagedError, match="its 17 bytes from 16777216 on have digest"):
        check_file_ranges(prefetch.rest)
    with pytest.raises(DamagedError, match="its 17 bytes from 16777216 on"):
        begin_prefetch(form, Verify.ALL).wait()
    for verify in (Verify.SIZE, Verify.OFF):
        begin_prefetch(form, verify).wait()


@pytest.mark.parametrize("change", [-1, 1, -3 * CHUNK_BYTES])
def test_a_file_of_another_length_is_found_before_the_graph_is_opened(
    form: VariantFiles, change: int
) -> None:
    os.truncate(form.folder / WEIGHTS, (N_CHUNKS - 1) * CHUNK_BYTES + 17 + change)
    for verify in (Verify.CHUNKS, Verify.ALL, Verify.SIZE):
        with pytest.raises(DamagedError, match=f"{WEIGHTS} is damaged: .* bytes, published as"):
            begin_prefetch(form, verify).wait_for_graph()


def test_a_file_cut_short_is_told_even_where_nothing_is_verified(form: VariantFiles) -> None:
    os.truncate(form.folder / WEIGHTS, CHUNK_BYTES)
    with pytest.raises(DamagedError, match=r"weights\.bin is damaged: it ends at byte"):
        begin_prefetch(form, Verify.OFF).wait()


def test_a_file_that_is_missing_or_a_link_is_refused(form: VariantFiles, tmp_path: Path) -> None:
    weights = form.folder / WEIGHTS
    weights.rename(tmp_path / "elsewhere")
    with pytest.raises(DamagedError, match=r"weights\.bin cannot be read: No such file") as caught:
        begin_prefetch(form).wait()
    assert isinstance(caught.value.__cause__, FileNotFoundError)
    weights.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(DamagedError, match=r"weights\.bin cannot be read"):
        begin_prefetch(form).wait()


def test_a_read_that_fails_says_of_what_and_keeps_its_cause(
    form: VariantFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> int:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "preadv", fail)
    with pytest.raises(DamagedError, match="cannot be read: Input/output error") as caught:
        begin_prefetch(form).wait()
    assert isinstance(caught.value.__cause__, OSError)


def test_many_read_at_once_and_no_more_than_there_are_pieces(
    form: VariantFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    everybody = threading.Barrier(2 + N_CHUNKS, timeout=20)
    preadv = os.preadv
    waited = threading.local()

    def together(*arguments: Any) -> int:
        if not getattr(waited, "once", False):
            waited.once = True
            everybody.wait()
        return preadv(*arguments)

    monkeypatch.setattr(os, "preadv", together)
    assert READERS > 2 + N_CHUNKS
    begin_prefetch(form, Verify.ALL).wait()


def test_where_threads_run_out_those_that_there_are_read_all(
    form: VariantFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, start = _open_files(), threading.Thread.start
    started: list[threading.Thread] = []

    def scarce(thread: threading.Thread) -> None:
        if len(started) == allowed:
            raise RuntimeError("can't start new thread")
        started.append(thread)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", scarce)
    allowed = 2
    begin_prefetch(form, Verify.ALL).wait()
    assert len(started) == allowed
    allowed = 0
    started.clear()
    with pytest.raises(RuntimeError, match="can't start new thread"):
        begin_prefetch(form)
    _wait_until(lambda: _open_files() <= before)


def test_after_a_stop_no_other_piece_is_begun(
    form: VariantFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go = [], threading.Event()
    preadv = os.preadv

    def held(*arguments: Any) -> int:
        begun.append(arguments)
        assert go.wait(20)
        return preadv(*arguments)

    monkeypatch.setattr(os, "preadv", held)
    monkeypatch.setattr("inference.loading.prefetch.READERS", 1)
    prefetch = begin_prefetch(form, Verify.SIZE)
    _wait_until(lambda: bool(begun))
    prefetch.stop()
    go.set()
    with pytest.raises(InterruptedError):
        prefetch.wait()
    _wait_until(lambda: not _readers())
    assert len(begun) == 1  # of a thousand bytes


def _open_files() -> set[str]:
    return {path.name for path in Path("/proc/self/fd").iterdir()}


def _readers() -> list[str]:
    return [each.name for each in threading.enumerate() if each.name == "coldpress-prefetch"]


def _counting(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    read: list[int] = []
    preadv = os.preadv

    def counted(*arguments: Any) -> int:
        got = preadv(*arguments)
        read.append(got)
        return got

    monkeypatch.setattr(os, "preadv", counted)
    return read


def _wait_until(is_so: Callable[[], bool]) -> None:
    changed = threading.Event()
    for _ in range(2000):
        if is_so():
            return
        changed.wait(0.01)
    pytest.fail("it never came to be so")


def test_a_range_of_chunks_past_the_end_of_its_file_is_damage(form: VariantFiles) -> None:
    for ranges in (((N_CHUNKS, 1),), ((1, 1), (3, 10**18))):
        with pytest.raises(DamagedError, match=f"ends past its {N_CHUNKS}$"):
            plan_reads(form._replace(recorded={WEIGHTS: ranges}), Verify.CHUNKS)
    assert plan_reads(form._replace(recorded={WEIGHTS: ((3, 2),)}), Verify.CHUNKS).rest
