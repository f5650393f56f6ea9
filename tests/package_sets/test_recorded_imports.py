"""Recordings of imports by publishing, and their reading ahead by a cold start."""

from __future__ import annotations

import contextlib
import resource
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pybase64
import pytest

from inference.loading.load_plan import read_load_plan, start_reads
from inference.loading.loader import RUNTIME, load_version
from inference.loading.prefetch import READERS
from inference.package_sets.prefetch import ImportPrefetch
from inference.settings import Verify
from model_store.layout import MANIFEST
from model_store.module_index import CODE, INDEX, ModuleIndex
from model_store.package_set import SITE_PACKAGES
from model_store.recorded_imports import IMPORT_BLOCK_BYTES, RecordedFile
from model_sync.progress import Silent
from model_sync.publishing.publish import publish
from tests.support.packaged_models import MODEL, write_greeter
from tests.support.stores import entry_of
from tests.support.waiting import wait_until
from tests.support.wheels import write_requirements, write_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inference.loading.load_plan import LoadPlan
    from model_store.layout import StoreLayout

pytestmark = pytest.mark.own_processes

UNUSED: Final = "\n".join(f"UNUSED_{number} = 'unused {number}'" for number in range(4_000))
"""A module of more than a block, which nothing imports."""
EXTENSION: Final = next(Path(pybase64.__file__).parent.glob("_pybase64*.so"))
OPENING: Final = """\
from pathlib import Path

GREETING = Path(__file__).with_name("greeting.txt").read_text()
"""


@pytest.fixture(autouse=True)
def path(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """This process's `sys.path` and hooks, put back after the test."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    hooks = [*sys.path_hooks]
    yield
    sys.path_hooks[:] = hooks


@pytest.fixture
def opening(layout: StoreLayout, wheels: Path) -> LoadPlan:
    """A published version whose pipeline imports a package that opens a file."""
    folder = write_greeter(layout.root.parent / MODEL, wheels, "recorded")
    wheel = write_wheel(
        wheels, "recorded", files={
            "recorded/__init__.py": f"from recorded.used import GREETING\n{OPENING}",
            "recorded/used.py": OPENING,
            "recorded/unused.py": UNUSED,
            "recorded/greeting.txt": "recorded 1.0",
            "recorded/other.txt": "never read",
        },
    )  # fmt: skip
    write_requirements(folder / "requirements.txt", wheel)
    publish(folder, layout.root, progress=Silent())
    return read_load_plan(layout, MODEL, entry_of(layout.root, 1, MODEL), RUNTIME)


def set_folder(layout: StoreLayout, opening: LoadPlan) -> Path:
    assert opening.manifest.content.packages
    return layout.package_set(opening.manifest.content.packages)


def recorded(opening: LoadPlan) -> dict[str, RecordedFile]:
    assert opening.preparation
    return {each.path: each for each in opening.preparation.imports}


def open_below(folder: Path) -> list[str]:
    """The files below a folder that this process has open."""
    found = []
    for descriptor in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):  # it was closed in between
            target = str(descriptor.readlink())
            if target.startswith(f"{folder}/"):
                found.append(target.removeprefix(f"{folder}/"))
    return sorted(found)


def test_it_is_what_the_pipeline_imports_and_opens_and_nothing_else(
    layout: StoreLayout, opening: LoadPlan
) -> None:
    folder = set_folder(layout, opening)
    found = recorded(opening)
    assert list(found) == [INDEX, CODE, f"{SITE_PACKAGES}/recorded/greeting.txt"]
    index = ModuleIndex((folder / INDEX).read_bytes(), INDEX)
    package = index.folder("recorded")
    code = {
        block
        for first, count in found[CODE].ranges
        for block in range(first, first + count)
    }  # fmt: skip
    used, unused = package["used"].code, package["unused"].code
    assert used
    assert unused
    assert unused.size_bytes > 2 * IMPORT_BLOCK_BYTES
    assert used.offset // IMPORT_BLOCK_BYTES in code
    middle = (unused.offset + unused.size_bytes // 2) // IMPORT_BLOCK_BYTES
    assert middle not in code


def test_of_an_extension_it_is_the_blocks_that_were_touched(
    layout: StoreLayout, wheels: Path
) -> None:
    """A real one, with a library's worth of bytes behind it that nothing maps."""
    name = f"quick/{EXTENSION.name}"
    folder = write_greeter(layout.root.parent / MODEL, wheels, "quick")
    wheel = write_wheel(
        wheels, "quick", files={
            "quick/__init__.py": "from quick._pybase64 import b64encode\nGREETING = 'quick 1.0'\n",
            name: EXTENSION.read_bytes() + bytes(8 * IMPORT_BLOCK_BYTES),
        },
    )  # fmt: skip
    write_requirements(folder / "requirements.txt", wheel)
    publish(folder, layout.root, progress=Silent())
    opening = read_load_plan(layout, MODEL, entry_of(layout.root, 1, MODEL), RUNTIME)
    found = recorded(opening)[f"{SITE_PACKAGES}/{name}"]
    blocks = {n for first, count in found.ranges for n in range(first, first + count)}
    assert 0 in blocks
    n_blocks = EXTENSION.stat().st_size // IMPORT_BLOCK_BYTES + 1
    assert max(blocks) < n_blocks


def test_a_load_reads_it_ahead_and_keeps_nothing_open(
    layout: StoreLayout, opening: LoadPlan
) -> None:
    folder = set_folder(layout, opening)
    begun = start_reads(layout, opening, Verify.CHUNKS)
    assert begun.imports
    begun.imports.wait()
    greeting = f"{SITE_PACKAGES}/recorded/greeting.txt"
    assert open_below(folder) == [MANIFEST, CODE, INDEX, greeting]
    entry = entry_of(layout.root, 1, MODEL)
    loaded = load_version(layout, MODEL, 1, entry, take_reads=lambda *_: begun)
    assert loaded.plain_imports is None
    wait_until(lambda: open_below(folder) in ([], [CODE]))


def test_a_load_that_fails_lets_go_of_it(layout: StoreLayout, opening: LoadPlan) -> None:
    folder = set_folder(layout, opening)
    begun = start_reads(layout, opening, Verify.CHUNKS)

    def no_room(_: object) -> None:
        raise MemoryError

    entry = entry_of(layout.root, 1, MODEL)
    with pytest.raises(MemoryError):
        load_version(layout, MODEL, 1, entry, no_room, take_reads=lambda *_: begun)
    wait_until(lambda: not open_below(folder))


def test_what_is_not_there_is_left_to_the_import(tmp_path: Path) -> None:
    (tmp_path / "short").write_bytes(b"short")
    prefetch = ImportPrefetch(
        tmp_path,
        [RecordedFile("gone", ((0, 1),)), RecordedFile("short", ((0, 40), (50, 1)))],
        readers=READERS,
    )
    prefetch.wait()
    assert open_below(tmp_path) == ["short"]
    prefetch.stop()
    wait_until(lambda: not open_below(tmp_path))


def test_more_files_than_a_process_may_open_leave_imports_theirs(tmp_path: Path) -> None:
    names = [str(number) for number in range(300)]
    for name in names:
        (tmp_path / name).write_bytes(b"x")
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, limits[1]))
    try:
        recorded = [RecordedFile(name, ((0, 1),)) for name in names]
        prefetch = ImportPrefetch(tmp_path, recorded, readers=READERS)
        prefetch.wait()
        assert 0 < len(open_below(tmp_path)) <= 64
        assert (tmp_path / names[-1]).read_bytes() == b"x"
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    prefetch.stop()
    wait_until(lambda: not open_below(tmp_path))
