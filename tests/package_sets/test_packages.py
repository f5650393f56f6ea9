"""A package set is made of what the requirements pin, once, and never changes."""

from __future__ import annotations

import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TYPE_CHECKING

import pytest

from model_store.digests import Digest
from model_store.layout import MANIFEST
from model_store.package_set import FILES, SITE_PACKAGES, PackageSetManifest, Target
from model_sync.errors import PackagesError
from model_sync.package_sets.publish import (
    describe_packages,
    describe_set,
    list_packages,
    publish_packages,
    publish_wheels,
)
from model_sync.progress import Silent
from tests.support.snapshots import FILE, FOLDER, modes, snapshot
from tests.support.wheels import write_requirements, write_wheel

if TYPE_CHECKING:
    from pathlib import Path

    from model_store.layout import StoreLayout

TARGET = Target("3.11", "x86_64-manylinux_2_28")


def nothing_is_left(layout: StoreLayout) -> bool:
    folders = (layout.packages, layout.packages.parent / "staging")
    return not any(path for folder in folders if folder.exists() for path in folder.iterdir())


def test_a_set_is_what_its_wheels_hold_and_can_be_imported(
    layout: StoreLayout, wheels: Path, tmp_path: Path
) -> None:
    pinned = write_requirements(
        tmp_path / "pins.txt", write_wheel(wheels, "beta"), write_wheel(wheels, "alpha")
    )
    manifest, new = publish_packages(pinned, layout, Target.running(), Silent())
    folder = layout.package_set(manifest.digest)
    assert new
    assert PackageSetManifest.parse((folder / MANIFEST).read_bytes(), "it") == manifest
    assert [wheel.name for wheel in manifest.wheels] == ["alpha", "beta"]
    assert manifest.files_digest == Digest.of_bytes((folder / FILES).read_bytes())
    assert list_packages(layout) == [describe_packages(manifest)]
    done = subprocess.run(
        [
            *(sys.executable, "-B", "-I", "-c"),
            "import sys; sys.path.insert(0, sys.argv[1]); import alpha, beta; print(beta.__file__)",
            str(folder / SITE_PACKAGES),
        ],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stdout.strip() == str(folder / SITE_PACKAGES / "beta" / "__init__.py")


def test_a_set_holds_no_bytecode_no_scripts_and_the_stores_modes(
    layout: StoreLayout, tmp_path: Path
) -> None:
    wheel = write_wheel(
        tmp_path / "wheels",
        "tool",
        files={"tool.py": "X = 1\n", "tool-1.0.data/scripts/old-tool": "#!python\n"},
        entry_points="[console_scripts]\nnew-tool = tool:main\n",
    )
    manifest, _ = publish_wheels((wheel,), layout, TARGET, Silent())
    folder = layout.package_set(manifest.digest)
    found = {path.name for path in folder.rglob("*")}
    assert "tool.py" in found
    assert not found & {"old-tool", "new-tool", "__pycache__", "scripts", "bin"}
    for name, mode in modes(folder).items():
        assert mode == (FOLDER if (folder / name).is_dir() else FILE), name
    about_it = {MANIFEST, FILES}
    assert manifest.files == sum(
        path.is_file() and path.name not in about_it for path in folder.rglob("*")
    )


def test_the_same_wheels_are_one_set_and_nothing_is_written_again(
    layout: StoreLayout, wheels: Path, tmp_path: Path
) -> None:
    pinned = write_requirements(tmp_path / "pins.txt", write_wheel(wheels, "alpha"))
    manifest, _ = publish_packages(pinned, layout, TARGET, Silent())
    before = snapshot(layout.packages)
    assert publish_packages(pinned, layout, TARGET, Silent()) == (manifest, False)
    assert snapshot(layout.packages) == before


def test_a_sets_digest_follows_from_wheels_and_target_alone(
    layout: StoreLayout, tmp_path: Path
) -> None:
    alpha, beta = (write_wheel(tmp_path / "wheels", name) for name in ("alpha", "beta"))
    other = Target(TARGET.python, "s390x-manylinux_2_28")
    digests = [
        publish_wheels(wheels, layout, target, Silent())[0].digest
        for wheels, target in (
            ((alpha, beta), TARGET),
            ((beta, alpha), TARGET),
            ((alpha,), TARGET),
            ((alpha, beta), other),
        )
    ]
    assert digests[0] == digests[1]
    assert len(set(digests)) == 3


def test_two_who_publish_a_set_at_once_make_one(layout: StoreLayout, tmp_path: Path) -> None:
    wheel = write_wheel(tmp_path / "wheels", "alpha")
    barrier = Barrier(2)

    class Together(Silent):
        """Waits for the other before it seals: neither saw the other's set."""

        def step(self, what: str, total_bytes: int = 0) -> None:
            if what.startswith("noting"):
                barrier.wait(30)

    def publish(_: int) -> tuple[PackageSetManifest, bool]:
        return publish_wheels((wheel,), layout, TARGET, Together())

    with ThreadPoolExecutor(2) as pool:
        (first, one), (second, other) = pool.map(publish, range(2))
    assert sorted((one, other)) == [False, True]
    assert first == second
    assert list_packages(layout) == [describe_packages(first)]
    assert not list((layout.packages.parent / "staging").iterdir())


def test_two_wheels_with_a_script_of_the_same_name_make_a_set(
    layout: StoreLayout, tmp_path: Path
) -> None:
    points = "[console_scripts]\nrun = some:main\n"
    wheels = tuple(
        write_wheel(tmp_path / "wheels", name, entry_points=points) for name in ("alpha", "beta")
    )
    _, new = publish_wheels(wheels, layout, TARGET, Silent())
    assert new


@pytest.mark.parametrize(
    ("files", "entry_points"),
    [
        ({"../evil.py": ""}, ""),
        ({"evil-1.0.data/purelib/../../evil.py": ""}, ""),
        ({"evil-1.0.data/data/../../../evil.py": ""}, ""),
        ({"evil-1.0.data/scripts/..\\..\\evil": ""}, ""),
        ({"evil-1.0.data/headers//etc/evil.h": ""}, ""),
        ({"evil/../../evil/": ""}, ""),
        ({"/evil.py": ""}, ""),
        ({"evil.py": ""}, "[console_scripts]\n../../../../evil = evil:main\n"),
    ],
)
def test_a_wheel_that_writes_outside_its_folder_is_refused(
    layout: StoreLayout, tmp_path: Path, files: dict[str, str], entry_points: str
) -> None:
    wheel = write_wheel(tmp_path / "wheels", "evil", files=files, entry_points=entry_points)
    before = set(tmp_path.rglob("*evil*"))
    with pytest.raises(PackagesError, match=r"^evil-1\.0-py3-none-any\.whl .*outside") as e:
        publish_wheels((wheel,), layout, TARGET, Silent())
    assert "\n" not in str(e.value)
    assert set(tmp_path.rglob("*evil*")) == before
    assert nothing_is_left(layout)


@pytest.mark.parametrize(
    ("kind", "what"),
    [(stat.S_IFLNK, "a link"), (stat.S_IFIFO, "neither a file nor a folder")],
)
def test_a_wheel_with_what_is_no_file_is_refused(
    layout: StoreLayout, tmp_path: Path, kind: int, what: str
) -> None:
    """Its links would be written as files that hold the links' texts."""
    wheel = write_wheel(tmp_path / "wheels", "evil", kinds={"evil/out": kind})
    with pytest.raises(PackagesError) as caught:
        publish_wheels((wheel,), layout, TARGET, Silent())
    assert str(caught.value) == f"{wheel.name} cannot be unpacked: 'evil/out' is {what}"
    assert nothing_is_left(layout)


def test_a_wheel_that_is_none_is_refused(layout: StoreLayout, tmp_path: Path) -> None:
    broken = tmp_path / "broken-1.0-py3-none-any.whl"
    broken.write_bytes(b"no archive")
    unrecorded = write_wheel(tmp_path / "wheels", "bare", record=False)
    for wheel in (broken, unrecorded):
        with pytest.raises(PackagesError, match=f"^{wheel.name} cannot be unpacked: ") as e:
            publish_wheels((wheel,), layout, TARGET, Silent())
        assert "\n" not in str(e.value)
        assert nothing_is_left(layout)


def test_two_wheels_with_the_same_file_are_refused(layout: StoreLayout, tmp_path: Path) -> None:
    wheels = tuple(
        write_wheel(tmp_path / "wheels", name, files={"same.py": name}) for name in ("one", "two")
    )
    with pytest.raises(PackagesError, match=r"^two-1\.0-py3-none-any\.whl cannot be unpacked: "):
        publish_wheels(wheels, layout, TARGET, Silent())
    assert nothing_is_left(layout)


@pytest.mark.parametrize(
    "spelt", ["zope.interface", "zope_interface", "Zope-Interface", "zope._-interface"]
)
def test_a_package_has_one_name_however_it_is_spelt(spelt: str) -> None:
    """Else two versions of it would pass as two packages. PEP 503."""
    wheel = f"{spelt.replace('-', '_')}-1.0-py3-none-any.whl"
    (found,) = describe_set({wheel: Digest.of_bytes(b"")}, TARGET).wheels
    assert found.name == "zope-interface"
