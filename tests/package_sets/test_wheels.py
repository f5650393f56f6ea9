"""pip gets what is pinned, for the target, or says in one line why it cannot."""

from __future__ import annotations

import tempfile
from typing import TYPE_CHECKING

import pytest

from model_store.package_set import Target
from model_sync.errors import PackagesError, SpaceError
from model_sync.package_sets.download import _reason, download_wheels
from model_sync.package_sets.publish import publish_packages
from model_sync.progress import Silent
from tests.support.file_systems import files_end_at
from tests.support.wheels import write_requirements, write_wheel

if TYPE_CHECKING:
    from pathlib import Path

    from model_store.layout import StoreLayout

TARGET = Target("3.11", "x86_64-manylinux_2_28")


def refusal(requirements: Path, layout: StoreLayout, target: Target = TARGET) -> str:
    """Return the message of a refused publication, which leaves no files."""
    with pytest.raises(PackagesError) as caught:
        publish_packages(requirements, layout, target, Silent())
    assert "\n" not in str(caught.value)
    assert not layout.packages.exists()
    return str(caught.value)


@pytest.mark.parametrize(
    ("tag", "platform", "fits"),
    [
        ("cp311-cp311-manylinux_2_28_x86_64", "x86_64-manylinux_2_28", True),
        ("cp311-cp311-manylinux_2_17_x86_64", "x86_64-manylinux_2_28", True),
        ("cp311-cp311-manylinux2014_aarch64", "aarch64-manylinux_2_28", True),
        ("cp38-abi3-manylinux_2_28_x86_64", "x86_64-manylinux_2_28", True),
        ("cp311-cp311-manylinux_2_34_x86_64", "x86_64-manylinux_2_28", False),
        ("cp311-cp311-manylinux_2_28_aarch64", "x86_64-manylinux_2_28", False),
        ("cp312-cp312-manylinux_2_28_x86_64", "x86_64-manylinux_2_28", False),
    ],
)
def test_a_wheel_is_taken_if_it_runs_on_the_target(
    wheels: Path, tmp_path: Path, tag: str, platform: str, fits: bool
) -> None:
    wheel = write_wheel(wheels, "native", tag=tag)
    pinned, taken = write_requirements(tmp_path / "pins.txt", wheel), tmp_path / "taken"
    taken.mkdir()
    if fits:
        (got,) = download_wheels(pinned, Target("3.11", platform), taken)
        assert got.read_bytes() == wheel.read_bytes()
    else:
        with pytest.raises(PackagesError, match=f"native 1.0 has no wheel for .*{tag}"):
            download_wheels(pinned, Target("3.11", platform), taken)


def test_a_missing_wheel_is_named_with_its_target(
    layout: StoreLayout, wheels: Path, tmp_path: Path
) -> None:
    wheel = write_wheel(wheels, "native", tag="cp312-cp312-manylinux_2_28_x86_64")
    message = refusal(write_requirements(tmp_path / "pins.txt", wheel), layout)
    assert message == (
        f"{tmp_path / 'pins.txt'}: native 1.0 has no wheel for Python 3.11 on "
        "x86_64-manylinux_2_28: there are wheels for cp312-cp312-manylinux_2_28_x86_64"
    )


def test_a_wheel_that_is_another_than_was_pinned_is_refused(
    layout: StoreLayout, wheels: Path, tmp_path: Path
) -> None:
    pinned = write_requirements(tmp_path / "pins.txt", write_wheel(wheels, "alpha"))
    write_wheel(wheels, "alpha", files={"alpha.py": "changed = True\n"})
    message = refusal(pinned, layout)
    assert f"{pinned}: a wheel does not match its hash: alpha==1.0" in message


def test_a_requirement_without_hash_or_version_is_refused(
    layout: StoreLayout, wheels: Path, tmp_path: Path
) -> None:
    wheel = write_wheel(wheels, "alpha")
    pins = write_requirements(tmp_path / "pins.txt", wheel)
    for text in ("alpha==1.0\n", "alpha\n", pins.read_text().replace("==1.0", ">=1.0")):
        pins.write_text(text)
        message = refusal(pins, layout)
        assert "every requirement needs a pinned version and its hashes" in message


def test_a_requirements_file_that_is_not_there_is_named(
    layout: StoreLayout, tmp_path: Path
) -> None:
    message = refusal(tmp_path / "pins.txt", layout)
    assert message == f"{tmp_path / 'pins.txt'} is missing: name a requirements file"


def test_wheels_that_do_not_fit_where_they_are_got_are_no_fault_of_pips(
    layout: StoreLayout, wheels: Path, tmp_path: Path
) -> None:
    wheel = write_wheel(wheels, "large", files={"large.py": "#" * 300_000})
    pins = write_requirements(tmp_path / "pins.txt", wheel)
    with files_end_at(150_000), pytest.raises(SpaceError) as caught:
        publish_packages(pins, layout, TARGET, Silent())
    assert str(caught.value) == (
        f"no room for the wheels of {pins} in {tempfile.gettempdir()}: make room, or set TMPDIR to "
        "a folder that has some"
    )
    assert not layout.packages.exists()


@pytest.mark.parametrize(
    "platform", ["", "linux", "x86_64", "x86_64-manylinux2014", "riscv-manylinux_2_28"]
)
def test_what_is_no_platform_is_refused(
    layout: StoreLayout, wheels: Path, tmp_path: Path, platform: str
) -> None:
    pinned = write_requirements(tmp_path / "pins.txt", write_wheel(wheels, "alpha"))
    message = refusal(pinned, layout, Target("3.11", platform))
    assert message.startswith(f"{platform!r} is no platform: expected one like x86_64-manylinux")


PIP_GAVE_UP = """\
ERROR: Exception:
Traceback (most recent call last):
  File "pip/_vendor/urllib3/response.py", line 443, in _error_catcher
    raise ReadTimeoutError(self._pool, None, "Read timed out.")
pip._vendor.urllib3.exceptions.ReadTimeoutError: HTTPSConnectionPool: Read timed out.
"""


def test_where_pip_itself_fails_its_last_word_is_the_reason() -> None:
    assert _reason(PIP_GAVE_UP) == (
        "pip failed: ReadTimeoutError: HTTPSConnectionPool: Read timed out."
    )
