"""Requirements that pip would build are refused before their build script runs."""

from __future__ import annotations

import hashlib
import tarfile
from typing import TYPE_CHECKING

import pytest

from model_store.package_set import Target
from model_sync.errors import PackagesError
from model_sync.package_sets.publish import publish_packages
from model_sync.package_sets.source_requirements import first_source_requirement
from model_sync.progress import Silent

if TYPE_CHECKING:
    from pathlib import Path

    from model_store.layout import StoreLayout


@pytest.mark.parametrize(
    ("text", "built"),
    [
        ("p @ https://host/p-1.0.tar.gz --hash=sha256:0", "p @ https://host/p-1.0.tar.gz"),
        ("p@https://host/p-1.0.zip#sha256=0", "p@https://host/p-1.0.zip"),
        ("p[x] @ https://host/p.tar.gz ; python_version > '3'", "p[x] @ https://host/p.tar.gz"),
        ("p @ https://host/p-1.0.tar.gz \\\n  --hash=sha256:0", "p @ https://host/p-1.0.tar.gz"),
        ("p @ git+https://host/p.git@v1", "p @ git+https://host/p.git@v1"),
        ("git+https://user@host/p.git", "git+https://user@host/p.git"),
        ("file:///p-1.0.tar.gz", "file:///p-1.0.tar.gz"),
        ("./p", "./p"),
        (".", "."),
        ("p-1.0.tar.gz", "p-1.0.tar.gz"),
        ("-e ./p", "./p"),
        ("--editable=p", "p"),
        ("a==1\n-r inner.txt", "./inner"),
        ("--requirement=inner.txt", "./inner"),
    ],
)
def test_an_address_that_is_no_wheels_is_found(tmp_path: Path, text: str, built: str) -> None:
    (tmp_path / "inner.txt").write_text("-r pins.txt\n./inner\n")
    pins = tmp_path / "pins.txt"
    pins.write_text(text)
    found = first_source_requirement(pins)
    assert found
    assert found.partition("#")[0] == built


@pytest.mark.parametrize(
    "text",
    [
        "",
        "p==1.0 --hash=sha256:0",
        "p[x]==1.0 ; sys_platform == 'linux' \\\n    --hash=sha256:0 \\\n    --hash=sha256:1",
        "p==1.0 # from https://host/p-1.0.tar.gz",
        "# p @ https://host/p-1.0.tar.gz",
        "p @ https://host/p-1.0-py3-none-any.whl --hash=sha256:0",
        "p @ https://host/p-1.0-py3-none-any.whl#sha256=0",
        "./p-1.0-py3-none-any.whl",
        "--index-url https://host/simple",
        "-c https://host/constraints.txt",
        "-r missing.txt",
        "-r pins.txt",
        "p @ http://[::1",
    ],
)
def test_what_names_no_address_or_a_wheels_is_left_to_pip(tmp_path: Path, text: str) -> None:
    pins = tmp_path / "pins.txt"
    pins.write_text(text)
    assert first_source_requirement(pins) is None


def test_the_build_script_of_a_source_archive_does_not_run(
    layout: StoreLayout, tmp_path: Path
) -> None:
    source, ran = tmp_path / "setup.py", tmp_path / "ran"
    source.write_text(f"open({str(ran)!r}, 'w').close()\n")
    archive = tmp_path / "p-1.0.tar.gz"
    with tarfile.open(archive, "w:gz") as opened:
        opened.add(source, "p-1.0/setup.py")
    pins = tmp_path / "pins.txt"
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    pins.write_text(f"p @ file://{archive} --hash=sha256:{digest}\n")
    with pytest.raises(PackagesError) as caught:
        publish_packages(pins, layout, Target.running(), Silent())
    assert str(caught.value) == (
        f"{pins}: p @ file://{archive} is no wheel, and nothing is built here: build a wheel of "
        "it, or pin a version that has one"
    )
    assert not ran.exists()
