"""Files that a server never needs are not in a published set, unless requested."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

import pytest

from model_store.files import FileEntry
from model_store.package_set import FILES, SITE_PACKAGES, Target
from model_store.reading import read_package_set, read_upward, read_version
from model_sync.__main__ import main
from model_sync.package_sets.publish import publish_wheels
from model_sync.progress import Silent
from model_sync.publishing.publish import publish
from tests.support.packaged_models import MODEL, write_greeter
from tests.support.wheels import write_requirements, write_wheel

if TYPE_CHECKING:
    from pathlib import Path

    from model_store.digests import Digest
    from model_store.layout import StoreLayout

NEEDED: Final = {"pkg/__init__.py": "", "pkg/testing/__init__.py": "", "pkg/py.typed": ""}
PRUNED: Final = {"pkg/tests/test_it.py": "1", "pkg/a.pyi": "22", "pkg/a.h": "333"}
STALE: Final = {"pkg/__pycache__/a.cpython-311.pyc": "4444"}
FILES_OF_IT: Final = {**NEEDED, **PRUNED, **STALE}


def in_the_set(layout: StoreLayout, digest: Digest) -> set[str]:
    """The files of the package in a set, which are those that its lists name."""
    folder = layout.package_set(digest)
    site = folder / SITE_PACKAGES
    found = {path.relative_to(site).as_posix() for path in site.rglob("*") if path.is_file()}
    record = (site / "pkg-1.0.dist-info" / "RECORD").read_text().splitlines()
    assert {line.split(",")[0] for line in record} == found
    listed = json.loads((folder / FILES).read_bytes())["files"]
    paths = {FileEntry.from_json(each, FILES).path for each in listed}
    assert {path.partition("/")[2] for path in paths if path.startswith(SITE_PACKAGES)} == found
    return {path for path in found if path.startswith("pkg/")}


def test_it_is_not_unpacked_and_no_list_names_it(layout: StoreLayout, tmp_path: Path) -> None:
    wheel = write_wheel(tmp_path / "wheels", "pkg", files=FILES_OF_IT)
    manifest, _ = publish_wheels((wheel,), layout, Target.running(), Silent())
    assert in_the_set(layout, manifest.digest) == NEEDED.keys()
    assert manifest == read_package_set(layout, manifest.digest)
    assert manifest.pruned
    assert (manifest.left_out_files, manifest.left_out_bytes) == (4, 10)


def test_a_set_that_is_not_pruned_is_another(layout: StoreLayout, tmp_path: Path) -> None:
    wheel = write_wheel(tmp_path / "wheels", "pkg", files=FILES_OF_IT)
    pruned, _ = publish_wheels((wheel,), layout, Target.running(), Silent())
    whole, new = publish_wheels((wheel,), layout, Target.running(), Silent(), pruned=False)
    assert new
    assert whole.digest != pruned.digest
    assert in_the_set(layout, whole.digest) == {*NEEDED, *PRUNED}
    assert (whole.pruned, whole.left_out_files, whole.left_out_bytes) == (False, 1, 4)


def test_the_command_line_says_what_was_left_out(
    layout: StoreLayout, wheels: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wheel = write_wheel(wheels, "pkg", files=FILES_OF_IT)
    pins = str(write_requirements(tmp_path / "pins.txt", wheel))
    for more, left_out in (([], "4 files, 10 B"), (["--no-prune"], "1 file, 4 B, not pruned")):
        assert main(["packages", "publish", pins, "--store", str(layout.root), *more]) == 0
        out, err = capsys.readouterr()
        assert out.endswith(f"; left out: {left_out})\n")
        assert f"leaving out {left_out.split(',')[0]} (" in err
        digest = out.split()[1]
        assert main(["packages", "show", digest, "--store", str(layout.root)]) == 0
        assert f"  left out   {left_out}\n" in capsys.readouterr().out


@pytest.mark.parametrize(("line", "pruned"), [("", True), ("prune = false\n", False)])
def test_a_models_recipe_says_whether_its_packages_are_pruned(
    tmp_path: Path, layout: StoreLayout, wheels: Path, line: str, pruned: bool
) -> None:
    folder = write_greeter(tmp_path / MODEL, wheels, "pinned")
    recipe = folder / "model.toml"
    recipe.write_text(recipe.read_text() + line)
    publish(folder, layout.root, progress=Silent())
    refs = read_upward(layout.model(MODEL))
    assert refs
    digest = read_version(layout, MODEL, refs.versions[1]).content.packages
    assert digest
    assert read_package_set(layout, digest).pruned is pruned
