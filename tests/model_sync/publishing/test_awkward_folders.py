"""Folders as they come: many files, empty ones, deep ones, names of all kinds, links."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import unicodedata
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import pytest
from onnx import helper

from inference.loading.loader import load_version
from inference.pipeline import Request
from model_store.files import check_file
from model_store.layout import StoreLayout
from model_store.reading import read_version, refresh
from model_sync.errors import InspectionError, SourceError, SyncError
from model_sync.graphs.inspection import inspect
from model_sync.progress import Silent
from model_sync.publishing.publish import publish
from model_sync.sources.folder import FolderSource
from tests.model_sync import awkward_models as awkward
from tests.support.model_folders import GOLDEN_TABLE, PIPELINE, RECIPE, write_bare, write_full
from tests.support.models import write_external_adder
from tests.support.snapshots import FILE, FOLDER, modes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from inference.loading.loaded_version import LoadedVersion
    from model_store.version import VersionManifest
    from tests.model_sync.conftest import Publish
    from tests.support.durability import Synced

DEADLINE_S: Final = 20

NAMES: Final = [
    unicodedata.normalize("NFC", "größe é"),
    unicodedata.normalize("NFD", "größe é"),
    "weights 🧊👩‍🔬.bin",
    "\u202eright to left",
    "משקולות",
    "أوزان",
    "モデル",
    " a space before and after ",
    "-rf",
    "--store",
    "~",
    "$HOME",
    "%s{}*?[a]'\"`;&|<>#",
    "a" * 255,
    "é" * 127,
]


def _write_sum(folder: Path, locations: Sequence[str], *, floats: int = 2) -> Path:
    """y = x + 0 + 1 + 2 + ..., each number in a file of external data of its own."""
    tensors = [
        awkward.external(f"c{number}", location=location, length=str(4 * floats))
        for number, location in enumerate(locations)
    ]
    awkward.write(
        folder / "model.onnx",
        [helper.make_node("Sum", ["x", *(tensor.name for tensor in tensors)], ["y"])],
        inputs=[awkward.value("x", [2])],
        outputs=[awkward.value("y", [2])],
        initializers=tensors,
    )
    for number, location in enumerate(locations):
        (folder / location).parent.mkdir(parents=True, exist_ok=True)
        (folder / location).write_bytes(np.full(floats, number, np.float32).tobytes())
    return folder


def _published(root: Path) -> tuple[VersionManifest, LoadedVersion]:
    """The one version, every file checked, as the reader loads it."""
    layout = StoreLayout(root / "store")
    entry = refresh(layout, "adder", None).refs.versions[1]
    manifest = read_version(layout, "adder", entry)
    folder = layout.model("adder").version(entry.id)
    for each in manifest.content.files:
        check_file(folder, each)
        assert not (folder / each.path).is_symlink()
    assert set(modes(folder).values()) <= {FILE, FOLDER}
    return manifest, load_version(layout, "adder", 1, entry)


def _paths(manifest: VersionManifest) -> set[str]:
    return {entry.path for entry in manifest.content.files}


def _answer(loaded: LoadedVersion) -> list[float]:
    return [float(number) for number in loaded.run({"x": np.zeros(2, np.float32)})["y"]]


def test_three_hundred_files_of_external_data_are_published(
    tmp_path: Path, publish_to: Publish, synced: Synced
) -> None:
    locations = [f"weights/{number % 7}/{number:03}.bin" for number in range(300)]
    publish_to(_write_sum(tmp_path / "adder", locations))
    manifest, loaded = _published(tmp_path)
    assert _paths(manifest) == {"source/model.onnx", *(f"source/{path}" for path in locations)}
    assert _answer(loaded) == [sum(range(300))] * 2
    assert synced.lacking(tmp_path / "store" / "models") == []


@pytest.mark.parametrize("length", [{}, {"length": "0"}], ids=["no length", "length 0"])
def test_a_file_of_external_data_may_be_empty(
    tmp_path: Path, publish_to: Publish, length: dict[str, str]
) -> None:
    tensor = awkward.external("c", location="empty.bin", **length)
    del tensor.dims[:]
    tensor.dims.extend([0, 2])
    awkward.write(
        tmp_path / "adder" / "model.onnx",
        [helper.make_node("Concat", ["x", "c"], ["y"], axis=0)],
        inputs=[awkward.value("x", ["n", 2])],
        outputs=[awkward.value("y", ["n", 2])],
        initializers=[tensor],
    )
    (tmp_path / "adder" / "empty.bin").touch()
    publish_to(tmp_path / "adder")
    manifest, _ = _published(tmp_path)
    assert manifest.content.file("source/empty.bin").size_bytes == 0


READING: Final = """\
import pathlib

import numpy

HELD = [len((pathlib.Path(__file__).parent / name).read_bytes()) for name in {names!a}]


def decode(request):
    return {{"x": numpy.zeros((1, 2), numpy.float32)}}


def encode(outputs, request):
    return HELD
"""


def _write_reading(folder: Path, names: Sequence[str], data: bytes) -> Path:
    """A model whose pipeline reads files, and answers with their sizes."""
    write_bare(folder)
    (folder / "pipeline.py").write_text(READING.format(names=list(names)))
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    quoted = ", ".join(_toml(name) for name in names)
    (folder / "model.toml").write_text(
        f'{RECIPE}[pipeline]\nfile = "pipeline.py"\ndata = [{quoted}]\n'
    )
    return folder


def _toml(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


@pytest.mark.parametrize("data", [b"", b"data"])
def test_a_pipelines_data_may_be_empty_deep_and_of_any_name(
    tmp_path: Path, publish_to: Publish, data: bytes
) -> None:
    names = [*NAMES, "...", "/".join(["deep"] * 20 + ["file"])]
    publish_to(_write_reading(tmp_path / "adder", names, data))
    manifest, loaded = _published(tmp_path)
    assert {f"pipeline/{name}" for name in names} < _paths(manifest)
    assert json.loads(loaded.predict(Request(b"")).body) == [len(data)] * len(names)


def test_external_data_may_be_deep_and_of_any_name(tmp_path: Path, publish_to: Publish) -> None:
    locations = [*NAMES, "/".join(["deep"] * 20 + ["weights.bin"]), "größe/モデル/a b/w"]
    publish_to(_write_sum(tmp_path / "adder", locations))
    manifest, loaded = _published(tmp_path)
    assert _paths(manifest) == {"source/model.onnx", *(f"source/{name}" for name in locations)}
    assert _answer(loaded) == [sum(range(len(locations)))] * 2


def test_golden_cases_may_be_of_any_name(tmp_path: Path, publish_to: Publish) -> None:
    cases = {name: ([1.0, 2.0], {"y": [2.0, 3.0]}) for name in NAMES}
    publish_to(write_full(tmp_path / "adder", cases=cases))
    manifest, _ = _published(tmp_path)
    assert set(manifest.content.golden.cases) == set(NAMES)


def _link_file(folder: Path) -> None:
    (folder / "weights.bin").rename(folder / "elsewhere")
    (folder / "weights.bin").symlink_to("elsewhere")


def _link_absolute(folder: Path) -> None:
    (folder / "weights.bin").rename(folder / "elsewhere")
    (folder / "weights.bin").symlink_to((folder / "elsewhere").absolute())


def _link_over_links(folder: Path) -> None:
    _link_file(folder)
    (folder / "weights.bin").rename(folder / "one")
    (folder / "weights.bin").symlink_to("two")
    (folder / "two").symlink_to("one")


@pytest.mark.parametrize("link", [_link_file, _link_absolute, _link_over_links])
def test_a_link_inside_is_stored_as_the_file_that_it_points_at(
    tmp_path: Path, publish_to: Publish, link: Callable[[Path], None]
) -> None:
    folder = tmp_path / "adder"
    write_external_adder(folder, np.ones(2), "weights.bin")
    (folder / "model.toml").write_text(RECIPE)
    link(folder)
    publish_to(folder)
    manifest, _ = _published(tmp_path)
    assert _paths(manifest) == {"source/model.onnx", "source/weights.bin"}


def test_links_to_folders_inside_are_stored_as_folders(tmp_path: Path, publish_to: Publish) -> None:
    folder = _write_sum(tmp_path / "adder", ["linked/a.bin", "linked/b.bin"])
    (folder / "linked").rename(folder / "real")
    (folder / "linked").symlink_to("real")
    (folder / "real" / "again").symlink_to("../cases")
    (folder / "golden").symlink_to("cases")
    (folder / "cases" / "one").mkdir(parents=True)
    tensor = {"shape": [2], "datatype": "FP32"}
    request = {"inputs": [{"name": "x", **tensor, "data": [0, 0]}]}
    expected = {"outputs": [{"name": "y", **tensor, "data": [1, 1]}]}
    (folder / "cases" / "one" / "request.json").write_text(json.dumps(request))
    (folder / "cases" / "one" / "expected.json").write_text(json.dumps(expected))
    (folder / "model.toml").write_text(RECIPE + GOLDEN_TABLE)
    publish_to(folder)
    manifest, loaded = _published(tmp_path)
    assert _paths(manifest) == {
        "golden/one/expected.json",
        "golden/one/request.json",
        "source/linked/a.bin",
        "source/linked/b.bin",
        "source/model.onnx",
    }
    assert _answer(loaded) == [1, 1]


@pytest.fixture
def deadline() -> Iterator[None]:
    """Ends a test that waits for a pipe's other end."""

    def late(number: int, frame: object) -> None:
        raise TimeoutError(f"it waited for {DEADLINE_S} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(DEADLINE_S)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def _loop(path: Path) -> None:
    path.symlink_to("other-loop")
    (path.parent / "other-loop").symlink_to(path.name)


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))


def _device(path: Path) -> None:
    try:
        os.mknod(path, 0o20644, os.makedev(1, 5))
    except PermissionError:
        pytest.skip("only root makes devices; /dev/zero is tried in test_folder.py")


def _link_to_pipe(path: Path) -> None:
    os.mkfifo(path.parent / "pipe")
    path.symlink_to("pipe")


def _link_out(path: Path) -> None:
    path.symlink_to("/etc/hostname")


NO_FILES: Final[dict[str, tuple[Callable[[Path], None], str]]] = {
    "pipe": (os.mkfifo, "is not a regular file"),
    "link to a pipe": (_link_to_pipe, "is not a regular file"),
    "socket": (_socket, "is not a regular file"),
    "device": (_device, "is not a regular file"),
    "folder": (lambda path: path.mkdir(), "is not a regular file"),
    "loop": (_loop, "cannot be read"),
    "link out": (_link_out, "leads out of the model's folder"),
    "link to nothing": (lambda path: path.symlink_to("nothing"), "is missing"),
}


@pytest.mark.usefixtures("deadline")
@pytest.mark.parametrize("place", ["model.onnx", "weights.bin", "pipeline.py", "words.txt"])
@pytest.mark.parametrize(("make", "reason"), NO_FILES.values(), ids=NO_FILES)
def test_what_is_no_file_is_refused_at_once_and_named(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    publish_to: Publish,
    make: Callable[[Path], None],
    reason: str,
    place: str,
) -> None:
    monkeypatch.chdir(tmp_path)  # a socket's path is short
    folder = Path("adder")
    write_external_adder(folder, np.ones(2), "weights.bin")
    (folder / "pipeline.py").write_text(PIPELINE)
    (folder / "words.txt").write_text("")
    (folder / "model.toml").write_text(
        RECIPE + "[pipeline]\nfile = 'pipeline.py'\ndata = ['words.txt']\n"
    )
    (folder / place).unlink()
    make(folder / place)
    with pytest.raises(SourceError) as caught:
        publish_to(folder)
    assert str(caught.value).startswith(f"adder/{place} {reason}")
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.usefixtures("deadline")
@pytest.mark.parametrize("place", ["model.toml", "golden/one/request.json", "stranger"])
@pytest.mark.parametrize("make", [os.mkfifo, _socket, _device, _loop])
def test_what_is_no_file_is_refused_wherever_files_are_looked_for(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    publish_to: Publish,
    make: Callable[[Path], None],
    place: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = write_bare(Path("adder")) if place == "stranger" else write_full(Path("adder"))
    with contextlib.suppress(FileNotFoundError):
        (folder / place).unlink()
    make(folder / place)
    with pytest.raises(SyncError) as caught:
        publish_to(folder)
    assert place.rpartition("/")[2] in str(caught.value) or "other-loop" in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_a_folder_too_deep_to_be_listed_is_refused_and_not_left_out(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    fd = os.open(tmp_path / "model", os.O_RDONLY)
    for _ in range(25):
        os.mkdir("a" * 200, dir_fd=fd)
        inner = os.open("a" * 200, os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = inner
    os.close(os.open("file", os.O_WRONLY | os.O_CREAT, dir_fd=fd))
    os.close(fd)
    with pytest.raises(SourceError, match="aaa cannot be listed: File name too long"):
        FolderSource(tmp_path / "model").files()


@pytest.mark.parametrize("name", ["a\nb", "a\u202eb", "a\x1b[2Jb", "a\x85b", "a\udcffb"])
def test_a_path_in_a_message_is_one_line_and_what_it_is(tmp_path: Path, name: str) -> None:
    (tmp_path / "model" / name).mkdir(parents=True)
    (tmp_path / "model" / name / "out").symlink_to("/etc")
    with pytest.raises(SourceError, match="leads out") as caught:
        FolderSource(tmp_path / "model").files()
    assert str(caught.value).isprintable()


def test_a_graph_larger_than_any_onnx_file_is_refused_before_it_is_copied(
    tmp_path: Path,
) -> None:
    class Told(Silent):
        def step(self, what: str, total_bytes: int = 0) -> None:
            pytest.fail(f"{what}: nothing was to be begun")

    folder = write_bare(tmp_path / "adder")
    os.truncate(folder / "model.onnx", 2 << 30)
    with pytest.raises(InspectionError, match=r"^model\.onnx has 2147483648 bytes, and an ONNX"):
        publish(folder, tmp_path / "store", progress=Told())
    with pytest.raises(InspectionError, match=r"^it has 2147483648 bytes"):
        inspect(folder / "model.onnx", "it")
    assert not (tmp_path / "store" / "models").exists()
