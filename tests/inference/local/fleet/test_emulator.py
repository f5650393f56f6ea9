import hashlib
import subprocess
import sys
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from inference.local.fleet.emulator_binary import emulator_path
from inference.local.fleet.errors import EmulatorUnavailableError

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="linux only: so is the emulator")

BINARIES = ("aws-lambda-rie-x86_64", "aws-lambda-rie-arm64")


def publish(wheels: Path, *, members: tuple[str, ...] = BINARIES) -> Path:
    """Publish a wheel with these binaries; return requirements that pin its hash."""
    wheel = wheels / "aws_sam_cli-9.8.7-py3-none-any.whl"
    about = "Metadata-Version: 2.1\nName: aws-sam-cli\nVersion: 9.8.7\n"
    tags = "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("aws_sam_cli-9.8.7.dist-info/METADATA", about)
        archive.writestr("aws_sam_cli-9.8.7.dist-info/WHEEL", tags)
        for name in members:
            archive.writestr(f"samcli/local/rapid/{name}", f"#!/bin/sh\necho {name}\n")
    return pin(wheels, hashlib.sha256(wheel.read_bytes()).hexdigest())


def pin(wheels: Path, digest: str) -> Path:
    requirements = wheels / "emulator.txt"
    requirements.write_text(f"aws-sam-cli==9.8.7 --hash=sha256:{digest}\n")
    return requirements


def test_the_binary_for_this_machine_is_fetched_once_and_runs(tmp_path: Path, wheels: Path) -> None:
    requirements = publish(wheels)
    path = emulator_path(requirements, tmp_path / "cache")

    assert path == tmp_path / "cache" / "9.8.7" / "aws-lambda-rie"
    assert path.stat().st_mode & 0o7777 == 0o755
    assert subprocess.run([path], capture_output=True, text=True, check=True).stdout.split() == [
        name for name in BINARIES if name in path.read_text()
    ]
    assert [each.name for each in path.parent.iterdir()] == ["aws-lambda-rie"]

    inode = path.stat().st_ino
    next(wheels.glob("*.whl")).unlink()

    assert emulator_path(requirements, tmp_path / "cache").stat().st_ino == inode


def test_fetching_twice_at_once_leaves_one_whole_binary(tmp_path: Path, wheels: Path) -> None:
    requirements = publish(wheels)
    with ThreadPoolExecutor(2) as both:
        fetches = [both.submit(emulator_path, requirements, tmp_path / "cache") for _ in "ab"]

    assert {fetch.result() for fetch in fetches} == {tmp_path / "cache/9.8.7/aws-lambda-rie"}
    subprocess.run([fetches[0].result()], check=True, capture_output=True)


def test_a_wheel_with_another_hash_is_refused(tmp_path: Path, wheels: Path) -> None:
    publish(wheels)

    with pytest.raises(EmulatorUnavailableError) as refusal:
        emulator_path(pin(wheels, "0" * 64), tmp_path / "cache")

    assert "\n" not in str(refusal.value)
    assert not list((tmp_path / "cache" / "9.8.7").iterdir())


def test_a_registry_without_the_wheel_is_one_clear_line(tmp_path: Path, wheels: Path) -> None:
    with pytest.raises(
        EmulatorUnavailableError, match=r"could not download aws-sam-cli: .+"
    ) as error:
        emulator_path(pin(wheels, "0" * 64), tmp_path / "cache")

    assert "\n" not in str(error.value)


def test_a_wheel_without_the_binary_is_named(tmp_path: Path, wheels: Path) -> None:
    requirements = publish(wheels, members=())

    with pytest.raises(EmulatorUnavailableError, match=r"aws_sam_cli-9\.8\.7.* carries no"):
        emulator_path(requirements, tmp_path / "cache")


def test_another_system_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "darwin")

    with pytest.raises(EmulatorUnavailableError, match="Linux only, not on darwin"):
        emulator_path(cache=tmp_path)
