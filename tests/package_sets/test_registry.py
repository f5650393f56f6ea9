"""A missing or yanked release is refused in one line that names the available ones."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest

from model_store.package_set import Target
from model_sync.errors import PackagesError
from model_sync.package_sets.publish import publish_packages
from model_sync.progress import Silent
from tests.package_sets.tiny_index import FORBIDDEN
from tests.support.wheels import write_requirements, write_wheel

if TYPE_CHECKING:
    from pathlib import Path

    from model_store.layout import StoreLayout
    from tests.package_sets.tiny_index import TinyIndex

TARGET = Target("3.11", "x86_64-manylinux_2_28")
WANTED = "for Python 3.11 on x86_64-manylinux_2_28"


def refusal(requirements: Path, layout: StoreLayout) -> str:
    """Return the message of a refused publication without the file's name; it leaves no files."""
    with pytest.raises(PackagesError) as caught:
        publish_packages(requirements, layout, TARGET, Silent())
    assert "\n" not in str(caught.value)
    assert not layout.packages.exists()
    assert not list((layout.root / "staging").glob("*"))
    file, said = str(caught.value).split(": ", 1)
    assert file == str(requirements)
    return said


def pin(path: Path, name: str, version: str = "1.0") -> Path:
    """Requirements that pin a version of which no file is at hand."""
    path.write_text(f"{name}=={version} --hash=sha256:{'0' * 64}\n")
    return path


def test_what_is_there_is_published(layout: StoreLayout, index: TinyIndex, tmp_path: Path) -> None:
    wheel = index.add(write_wheel(index.files, "alpha"), "alpha")
    pinned = write_requirements(tmp_path / "pins.txt", wheel)
    assert publish_packages(pinned, layout, TARGET, Silent())[1]


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        ("it deletes <b>files</b>", "alpha 1.0 was yanked (it deletes <b>files</b>): pin another"),
        ("", "alpha 1.0 was yanked (no reason is given): pin another version"),
    ],
)
def test_a_yanked_version_is_refused_with_the_reason(
    layout: StoreLayout,
    index: TinyIndex,
    tmp_path: Path,
    reason: str,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PIP_QUIET", "3")  # of a user who wants no warnings on the terminal
    wheel = index.add(write_wheel(index.files, "alpha"), "alpha", yanked=reason)
    assert refusal(write_requirements(tmp_path / "pins.txt", wheel), layout).startswith(said)


def test_wheels_for_other_targets_are_named_the_nearest_first(
    layout: StoreLayout, index: TinyIndex, tmp_path: Path
) -> None:
    tags = [f"cp3{minor}-cp3{minor}-win_amd64" for minor in range(10, 17)]
    for tag in (*tags, "cp312-cp312-manylinux_2_17_x86_64"):
        wheel = index.add(write_wheel(index.files, "native", tag=tag), "native")
    index.add(write_wheel(index.files, "native", version="0.9"), "native")
    assert refusal(write_requirements(tmp_path / "pins.txt", wheel), layout) == (
        f"native 1.0 has no wheel {WANTED}: there are wheels for "
        "cp312-cp312-manylinux_2_17_x86_64, cp310-cp310-win_amd64, cp311-cp311-win_amd64, "
        "cp312-cp312-win_amd64, cp313-cp313-win_amd64, cp314-cp314-win_amd64 and 2 more"
    )


def test_what_would_have_to_be_built_is_refused(
    layout: StoreLayout, index: TinyIndex, tmp_path: Path
) -> None:
    source = index.files / "native_code-1.0.tar.gz"
    source.write_bytes(b"C")
    index.add(source, "native-code")
    pinned = tmp_path / "pins.txt"
    digest = hashlib.sha256(b"C").hexdigest()
    pinned.write_text(f"Native.Code==1.0 --hash=sha256:{digest}\n")
    assert refusal(pinned, layout) == (
        f"Native.Code 1.0 has no wheel {WANTED}: there is only a source archive "
        "(native_code-1.0.tar.gz), and nothing is built here: build a wheel of it, or pin a "
        "version that has one"
    )


def test_a_wheel_for_another_python_is_told_by_what_it_needs(
    layout: StoreLayout, index: TinyIndex, tmp_path: Path
) -> None:
    wheel = index.add(write_wheel(index.files, "modern"), "modern", needs_python=">=3.12,<4")
    assert refusal(write_requirements(tmp_path / "pins.txt", wheel), layout) == (
        f"modern 1.0 needs Python >=3.12,<4: there is no wheel {WANTED}"
    )


def test_a_version_that_is_not_there_is_refused_with_those_that_are(
    layout: StoreLayout, index: TinyIndex, tmp_path: Path
) -> None:
    for version in ("1.0", "1.10", "1.9"):
        index.add(write_wheel(index.files, "alpha", version=version), "alpha")
    assert refusal(pin(tmp_path / "pins.txt", "alpha", "3.0"), layout) == (
        f"there is no alpha 3.0: the newest with wheels {WANTED} are 1.10, 1.9, 1.0"
    )
    index.add(write_wheel(index.files, "beta", tag="cp312-cp312-win_amd64"), "beta")
    assert refusal(pin(tmp_path / "pins.txt", "beta", "3.0"), layout) == (
        f"there is no beta 3.0, and no other version of it {WANTED}"
    )


def test_a_package_that_nobody_has_is_named(
    layout: StoreLayout, index: TinyIndex, tmp_path: Path
) -> None:
    assert refusal(pin(tmp_path / "pins.txt", "alhpa"), layout) == ("pip finds no package alhpa")


def test_a_wheel_that_is_another_than_was_pinned_is_refused(
    layout: StoreLayout, index: TinyIndex, tmp_path: Path
) -> None:
    index.add(write_wheel(index.files, "alpha"), "alpha")
    said = refusal(pin(tmp_path / "pins.txt", "alpha"), layout)
    assert said.startswith("a wheel does not match its hash: alpha==1.0")


def test_a_registry_that_refuses_is_not_taken_for_one_that_has_nothing(
    layout: StoreLayout, index: TinyIndex, tmp_path: Path
) -> None:
    assert refusal(pin(tmp_path / "pins.txt", FORBIDDEN), layout) == (
        f"the package registry refuses: 403 Client Error ({WANTED})"
    )
