"""Modules that a wheel puts at the top of `site-packages`, and those that the runtime has."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from model_store.package_set import Target
from model_sync.errors import PackagesError
from model_sync.package_sets.download import get_wheels
from model_sync.package_sets.runtime_packages import installed_runtime
from model_sync.package_sets.top_modules import installed_top_modules, top_modules_of
from model_sync.progress import Silent
from tests.support.wheels import write_requirements, write_wheel

if TYPE_CHECKING:
    from pathlib import Path


def test_they_are_modules_packages_and_extensions_and_no_namespace(tmp_path: Path) -> None:
    files = {
        "alone.py": "",
        "fast.cpython-311-x86_64-linux-gnu.so": "",
        "package/__init__.py": "",
        "package/inner/__init__.py": "",
        "compiled/__init__.abi3.so": "",
        "google/cloud/part/__init__.py": "",
        "notes.txt": "",
        "tests/__init__.py": "",
        "top-1.0.data/purelib/placed/__init__.py": "",
        "top-1.0.data/scripts/script.py": "",
    }
    wheel = write_wheel(tmp_path, "top", files=files)
    assert top_modules_of(wheel) == {"alone", "fast", "package", "compiled", "placed"}


def test_those_of_what_is_installed_are_its_modules() -> None:
    assert "onnxruntime" in installed_top_modules("onnxruntime")
    assert installed_top_modules("nobody-installed-this") == frozenset()


def test_a_package_of_another_name_with_a_module_of_the_runtimes_is_refused(
    wheels: Path, tmp_path: Path
) -> None:
    wheel = write_wheel(
        wheels, "onnxruntime_gpu", version="2.0", files={"onnxruntime/__init__.py": ""}
    )
    pins = write_requirements(tmp_path / "pins.txt", wheel)
    brought = installed_runtime()
    said = (
        f"pins onnxruntime-gpu 2.0, which brings the module onnxruntime, and so does the runtime's "
        f"onnxruntime {brought['onnxruntime']}: imports find that one"
    )
    folder = tmp_path / "got"
    folder.mkdir()
    with pytest.raises(PackagesError, match=said):
        get_wheels(pins, Target.running(), brought, folder, Silent())
