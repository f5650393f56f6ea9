"""A set with damaged files is still imported correctly, and the damage is reported.

If the index is damaged or for other bytecode, Python imports from the plain folder. If a piece of
the code is damaged, that module is imported from its source.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import sys
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest

from inference.package_sets.active_sets import PackageSets
from inference.package_sets.importer import IndexedSite
from model_store.digests import Digest
from model_store.errors import DamagedError, FormatTooNewError
from model_store.layout import MANIFEST
from model_store.module_index import CODE, INDEX, ModuleIndex
from model_store.package_set import PackageSetManifest, Target
from model_sync.package_sets.publish import publish_wheels
from model_sync.progress import Silent
from model_sync.publishing.publish import publish
from model_sync.store_io.create_store import open_store
from tests.inference.lambda_process import run_on_lambda
from tests.support.calls import http_event
from tests.support.damage import flip_a_byte
from tests.support.packaged_models import MODEL, write_greeter
from tests.support.wheels import offer_wheels, write_wheel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_numbers = count()


class Published:
    """A set of one package with two modules, and what came of importing from it."""

    def __init__(self, folder: Path) -> None:
        self.name = f"damaged_{next(_numbers)}"
        files = {
            f"{self.name}/__init__.py": "",
            f"{self.name}/one.py": "VALUE = 1\n",
            f"{self.name}/two.py": "VALUE = 2\n",
        }
        wheel = write_wheel(folder / "wheels", self.name, version="1.5", files=files)
        self.layout = open_store(folder / "store")
        self.manifest, _ = publish_wheels((wheel,), self.layout, Target.running(), Silent())
        self.folder = self.layout.package_set(self.manifest.digest)

    @property
    def index(self) -> ModuleIndex:
        return ModuleIndex((self.folder / INDEX).read_bytes(), INDEX)

    def offset_of(self, name: str) -> int:
        code = self.index.folder(self.name)[name].code
        assert code
        return code.offset

    def put_index(self, data: bytes, *, digest: Digest | None = None) -> None:
        """Have another index, and a manifest that says that it was published."""
        (self.folder / INDEX).write_bytes(data)
        manifest = self.manifest._replace(index_digest=digest or Digest.of_bytes(data))
        (self.folder / MANIFEST).write_bytes(manifest.render())

    def imported(self) -> tuple[str | None, str | None]:
        """Import both modules; why they are imported plainly, before and after."""
        with PackageSets().use(self.layout, self.manifest.digest, "this test") as why_plain:
            before = why_plain()
            values = [self.module(name).VALUE for name in ("one", "two")]
            after = why_plain()
        assert values == [1, 2]
        assert importlib.metadata.version(self.name.replace("_", ".")) == "1.5"
        return before, after

    def module(self, name: str) -> Any:
        return importlib.import_module(f"{self.name}.{name}")


@pytest.fixture
def published_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Published]:
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(sys, "path_hooks", [*sys.path_hooks])
    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path])
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    yield Published(tmp_path)
    assert not list(tmp_path.rglob("__pycache__"))


def sites(published: Published) -> list[IndexedSite]:
    """Return the importers in sys.path_hooks for folders of the set."""
    found = (getattr(hook, "__self__", None) for hook in sys.path_hooks)
    folder = str(published.folder)
    return [
        each for each in found if isinstance(each, IndexedSite) and each.folder.startswith(folder)
    ]


def is_hooked(published: Published) -> bool:
    return bool(sites(published))


def test_a_set_as_it_was_published_goes_by_its_index(published_set: Published) -> None:
    assert published_set.imported() == (None, None)
    assert is_hooked(published_set)


def damage_index(published: Published) -> str:
    flip_a_byte(published.folder / INDEX)
    return f"{published.folder / INDEX} is damaged: its digest is not the published one"


def remove_index(published: Published) -> str:
    (published.folder / INDEX).unlink()
    return f"{published.folder / INDEX} cannot be read: No such file or directory"


def empty_index(published: Published) -> str:
    published.put_index(b"")
    return f"{published.folder / INDEX} is damaged: "


def index_of_other_bytecode(published: Published) -> str:
    magic = published.index.magic
    data = (published.folder / INDEX).read_bytes()
    published.put_index(data.replace(magic.encode(), b"0badc0de", 1))
    return "its code is for bytecode 0badc0de, and this Python has another"


def index_of_a_later_release(published: Published) -> str:
    data = (published.folder / INDEX).read_bytes()
    published.put_index(data.replace(b'"format":1', b'"format":9', 1))
    return f"{published.folder / INDEX} has format 9; this release reads formats up to 1"


def index_that_nobody_made(published: Published) -> str:
    manifest = published.manifest._replace(index_digest=None)
    (published.folder / MANIFEST).write_bytes(manifest.render())
    return "it was published without an index"


@pytest.mark.parametrize(
    "harm",
    [
        damage_index,
        remove_index,
        empty_index,
        index_of_other_bytecode,
        index_of_a_later_release,
        index_that_nobody_made,
    ],
)
def test_without_its_index_a_set_is_a_plain_folder(
    published_set: Published, harm: Callable[[Published], str]
) -> None:
    expected = harm(published_set)
    before, after = published_set.imported()
    assert before
    assert before.startswith(expected)
    assert after == before
    assert not is_hooked(published_set)


def test_damaged_code_is_compiled_from_its_source(published_set: Published) -> None:
    at = published_set.offset_of("one")
    flip_a_byte(published_set.folder / CODE, at)
    before, after = published_set.imported()
    assert before is None
    assert after == f"{published_set.folder / CODE} is damaged at byte {at}"
    assert is_hooked(published_set)


def test_code_that_is_not_there_is_compiled_from_sources(published_set: Published) -> None:
    (published_set.folder / CODE).unlink()
    before, after = published_set.imported()
    assert before is None
    assert after == f"{published_set.folder / CODE} cannot be read: No such file or directory"


@pytest.mark.parametrize("kept", [0, 0.5])
def test_code_that_ends_early_is_compiled_from_sources(
    published_set: Published, kept: float
) -> None:
    path = published_set.folder / CODE
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * kept)])
    before, after = published_set.imported()
    assert before is None
    assert after
    assert after.startswith(f"{path} is damaged at byte ")


def test_what_calls_read_again_and_again_takes_no_memory(published_set: Published) -> None:
    name = published_set.name.replace("_", ".")
    with PackageSets().use(published_set.layout, published_set.manifest.digest, "this test"):
        (site,) = sites(published_set)
        for _ in range(3):
            assert importlib.metadata.version(name) == "1.5"
        assert len(site.pieces_read) == 1
        (published_set.folder / CODE).write_bytes(b"")
        for _ in range(3):
            assert importlib.metadata.version(name) == "1.5"
        assert len(site.damaged) == 1


def test_each_byte_of_the_code_file_may_be_damaged(published_set: Published) -> None:
    path = published_set.folder / CODE
    path.write_bytes(bytes(byte ^ 0x55 for byte in path.read_bytes()))
    before, after = published_set.imported()
    assert before is None
    assert after
    assert after.startswith(f"{path} is damaged at byte ")


LINES = (b"", b"\n", b"x", b"x\n", b"{}\n", b"[]\n{}\n", b'{"format":1}\n{}\n', b"\xff\xfe\n\n",
         b'{"folders":1,"format":1,"magic":"a"}\n{}\n', b'{"format":"a"}\n',
         b'{"folders":0,"format":Infinity,"magic":"a"}\n{}\n',
         b'{"a":' + b"[" * 100_000 + b"\n")  # fmt: skip


@pytest.mark.parametrize("data", LINES)
def test_what_is_no_index_is_damaged(data: bytes) -> None:
    with pytest.raises(DamagedError, match=r"^here is damaged: "):
        ModuleIndex(data, "here")


def test_an_index_whose_lines_are_damaged_says_so_when_they_are_read() -> None:
    head = b'{"folders":2,"format":1,"magic":"a"}\n'
    index = ModuleIndex(head + b'[]\n\t{"a":["x",".py"]}\nb\t{"a":1}\n', "here")
    for folder in ("", "b"):
        with pytest.raises(DamagedError, match=r"^here is damaged: its line of "):
            index.folder(folder)
    with pytest.raises(DamagedError, match=r"^here is damaged: "):
        index.distributions()
    with pytest.raises(FormatTooNewError):
        ModuleIndex(head.replace(b'"format":1', b'"format":2'), "here")


def test_a_version_whose_set_is_damaged_answers_and_is_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheels = tmp_path / "wheels"
    offer_wheels(monkeypatch, wheels)
    layout = open_store(tmp_path / "store")
    publish(
        write_greeter(tmp_path / MODEL, wheels, "counts_damage"), layout.root, progress=Silent()
    )
    call = http_event("POST", f"/models/{MODEL}/predict", body=b"[1, 2]")

    def counted() -> tuple[list[list[int]], list[str]]:
        run = run_on_lambda(layout.root, [call])
        assert run.answers[0]["body"] == "counts_damage 1.0"
        said = "a package set is imported without its index"
        return (
            [line["PlainImports"] for line in run.metrics if "PlainImports" in line],
            [line["reason"] for line in run.logs if line["message"] == said],
        )

    assert counted() == ([], [])
    (code,) = layout.packages.glob(f"*/{CODE}")
    whole = code.read_bytes()
    code.write_bytes(bytes(len(whole)))
    assert counted() == ([[1]], [f"{code} is damaged at byte 0"])
    code.write_bytes(whole)
    (index,) = layout.packages.glob(f"*/{INDEX}")
    flip_a_byte(index)
    assert counted() == ([[1]], [f"{index} is damaged: its digest is not the published one"])
    (manifest,) = layout.packages.glob(f"*/{MANIFEST}")
    assert PackageSetManifest.parse(manifest.read_bytes(), "").index_digest
