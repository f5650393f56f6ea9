"""Publishing if the file system's answer leaves doubt, or fails after the commit."""

from __future__ import annotations

import errno
import json
import os
from typing import TYPE_CHECKING

import pytest

from inference.loading.loader import load_version
from model_store.errors import StoreUnreachableError
from model_store.layout import StoreLayout
from model_store.reading import refresh
from model_sync.__main__ import main
from model_sync.identity import publisher
from model_sync.progress import Silent
from model_sync.publishing.publish import publish
from tests.model_sync.late_link import LateLink
from tests.support.model_folders import RECIPE, write_bare

if TYPE_CHECKING:
    from pathlib import Path


def test_a_generation_that_appears_after_its_link_failed_finds_what_it_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    late = LateLink(monkeypatch)
    with pytest.raises(OSError, match="timed out"):
        publish(write_bare(tmp_path / "adder"), tmp_path / "store", progress=Silent())
    late.appear()
    store = StoreLayout(tmp_path / "store")
    assert load_version(store, "adder", 1, refresh(store, "adder", None).refs.versions[1])


def test_a_failure_to_settle_after_the_commit_is_told_and_is_no_failure_to_publish(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rename = os.rename

    def renaming(source: Path, target: Path) -> None:
        if target.name == "refs.json":
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        rename(source, target)

    folder, store = write_bare(tmp_path / "adder"), str(tmp_path / "store")
    with monkeypatch.context() as patched:
        patched.setattr(os, "rename", renaming)
        assert main(["publish", str(folder), "--store", store, "--quiet", "--json"]) == 0
        out, err = capsys.readouterr()
    found = json.loads(out)
    assert (found["version"], found["created"]) == (1, True)
    assert found["unsettled"].startswith("generation 1 of 'adder' is committed, but its refs.json ")
    assert "`settle adder` updates it" in found["unsettled"]
    assert err == f"warning: {found['unsettled']}\n"
    model = StoreLayout(tmp_path / "store").model("adder")
    assert not model.refs_json.exists()
    assert not publish(folder, tmp_path / "store", progress=Silent()).changed
    assert model.refs_json.samefile(model.generation(1))


def test_a_wrong_store_is_told_before_a_slow_build_is_run(tmp_path: Path) -> None:
    folder = tmp_path / "adder"
    folder.mkdir()
    (folder / "build.py").write_text("open('was-run', 'w')")
    build = "[build]\nscript = 'build.py'\noutputs = ['model.onnx']\n"
    (folder / "model.toml").write_text(RECIPE + build)
    (tmp_path / "photos" / "2026").mkdir(parents=True)
    with pytest.raises(StoreUnreachableError, match="is no store"):
        publish(folder, tmp_path / "photos", progress=Silent())
    assert not (folder / "was-run").exists()


@pytest.mark.parametrize("name", ["somebody", "größe", os.fsdecode(b"\xff")])
def test_who_publishes_can_be_written_whatever_the_users_name(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("LOGNAME", name)
    who = publisher()
    assert who.encode()
    assert who.startswith(name.encode(errors="replace").decode() + "@")


def test_a_user_without_a_name_is_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os, "getuid", lambda: 4_000_000_000)
    assert publisher().startswith("4000000000@")
